import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { runSource } from "../support.js"

const folder = "examples/coming-from"

interface Section {
  readonly title: string
  readonly example: string
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

// a pipe inside a cell is written \|
const cells = (line: string): ReadonlyArray<string> =>
  line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.replaceAll("\\|", "|").trim())

// a section without a table has examples, which are run with all others
const sections: ReadonlyArray<Section> = readFileSync("docs/coming-from.md", "utf8").split(/^## /m).slice(1).filter((
  text
) => /^\|/m.test(text)).map((text) => {
  const [title = "", ...lines] = text.split("\n")
  const table = lines.filter((line) => line.startsWith("|"))
  return {
    title,
    example: /<!-- (\S+) -->/.exec(text)?.[1] ?? "",
    // without the headings and the rules beneath them
    rows: table.filter((line, i) => !isRule(line) && !isRule(table[i + 1] ?? "")).map(cells)
  }
})

function isRule(line: string): boolean {
  return /^[|\s-]+$/.test(line) && line.includes("-")
}

const spans = (cell: string): ReadonlyArray<string> => Array.from(cell.matchAll(/`([^`]+)`/g), ([, code]) => code!)

describe("docs/coming-from.md", () => {
  it("has a section for each program of the folder, and each section its program", () => {
    expect(sections.map(({ example }) => example).toSorted()).toEqual(
      readdirSync(folder).map((file) => `${folder}/${file}`).toSorted()
    )
  })

  for (const { example, rows, title } of sections) {
    describe(title, () => {
      it("has a row for each line of theirs, with code alone on the right", () => {
        expect(rows.length).toBeGreaterThan(4)
        for (const row of rows) {
          expect(row.length).toBeGreaterThanOrEqual(2)
          for (const cell of row.slice(1)) {
            expect(cell).toMatch(/^`[^`]+`(<br>`[^`]+`)*$/)
          }
        }
      })

      it("takes every right-hand side from its program", () => {
        const program = readFileSync(example, "utf8")
        const ours = rows.flatMap(([, ...right]) => right.flatMap(spans))
        expect(ours.filter((code) => !program.includes(code))).toEqual([])
      })

      it("has a program that runs", async () => {
        const { stderr } = await runSource(example)
        expect(stderr).toBe("")
      }, 60_000)
    })
  }
})
