/**
 * The defects of Effect that the guide tells of, each as a program without this library. A test that fails here says that
 * the Effect at hand has mended one: its program, its row in the guide and its name in the kit's report can go.
 */
import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const folder = join(import.meta.dirname, "../../docs/findings")
const programs = readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "yields.ts")

describe.sequential("Effect still has the defect that is shown by", { timeout: 240_000 }, () => {
  for (const file of programs) {
    it(file, async () => {
      const { found }: { readonly found: boolean | ReadonlyArray<number> } = await import(`${folder}/${file}`)
      expect(typeof found === "boolean" ? found : found.length > 0).toBe(true)
    })
  }
})

describe("a program of a finding", () => {
  for (const file of programs) {
    it(`${file} is short, and needs Effect alone`, () => {
      const text = readFileSync(join(folder, file), "utf8")
      expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(25)
      for (const [, specifier] of text.matchAll(/from "(.*)"/g)) {
        expect(["effect", "./yields.js"]).toContain(specifier)
      }
      expect(readFileSync(join(folder, "../guide/6-found-with-it.md"), "utf8")).toContain(`(../findings/${file})`)
    })
  }
})
