import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { makeProject } from "./project.js"

describe("beside Effect 4", () => {
  const project = makeProject()
  beforeAll(() => project.install(inject("tarball"), "effect@4"))
  afterAll(project.remove)

  const message = "aiocontext 1.x needs Effect 3, not the one installed: npm i effect@3"

  for (const entry of ["aiocontext", "aiocontext/Context", "aiocontext/Layer", "aiocontext/compat"]) {
    it(`import of ${entry} says why it fails and which line mends it`, async () => {
      const failure = await project.run(process.execPath, "--eval", `import ${JSON.stringify(entry)}`).catch(String)
      expect(failure).toContain(message)
    })
    it(`require of ${entry} does`, async () => {
      const failure = await project.run(
        process.execPath,
        "--input-type=commonjs",
        "--eval",
        `require(${JSON.stringify(entry)})`
      ).catch(String)
      expect(failure).toContain(message)
    })
  }
})
