import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { effect, makeProject } from "./project.js"

const page = readFileSync(join(import.meta.dirname, "../../docs/recipes/jest.md"), "utf8")
const blocks = (language: string) =>
  Array.from(page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm")), ([, code]) => code!)

describe("the recipe for jest", () => {
  const project = makeProject()

  beforeAll(async () => {
    const [commonJs = "", modules = ""] = blocks("js")
    project.write("package.json", JSON.stringify({ name: "project", private: true }))
    project.write("commonjs.config.js", commonJs)
    project.write("modules.config.js", modules)
    project.write("audit.test.ts", blocks("ts foreign")[0]!)
    await project.install(inject("tarball"), effect, "jest@30.5.2", "@swc/core@1", "@swc/jest@0.2")
  }, 300_000)
  afterAll(project.remove)

  const jest = (flags: ReadonlyArray<string>, config: string) =>
    project.run(process.execPath, ...flags, "node_modules/jest/bin/jest.js", "--json", "--config", config)
      .then((output) => JSON.parse(output) as { readonly numPassedTests: number })

  it.each([[[], "commonjs.config.js"], [["--experimental-vm-modules"], "modules.config.js"]])(
    "passes with %j and %s",
    async (flags, config) => expect(await jest(flags, config)).toMatchObject({ numPassedTests: 2, numFailedTests: 0 })
  )
})
