/** Writes the measured table into the page that explains it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { amountOf, limitOf, valueOf, wordsOf } from "./verdict.js"

const page = new URL("../docs/performance.md", import.meta.url)

const start = "<!-- measured: begin -->"
const end = "<!-- measured: end -->"

const line = (cells) => `| ${cells.join(" | ")} |`

const cellOf = (row, major) => {
  const words = wordsOf(row, major)
  return `${valueOf(row)}${words === "" ? "" : `: ${words}`}`
}

const tableOf = ({ nodes, python }) => {
  const majors = Object.keys(nodes).toSorted()
  const [first] = majors
  const python3 = python === undefined ? [] : [`CPython ${python.version}`]
  const rows = Object.entries(nodes[first].suites).flatMap(([suite, rows]) =>
    rows.flatMap((row) => {
      const all = majors.map((major) => nodes[major].suites[suite]?.find(({ id }) => id === row.id))
      const limits = [...new Set(majors.map((major) => limitOf(row, major)))].join("; on Node 24: ")
      return [
        line([
          row.what,
          row.against,
          limits,
          ...all.map((row, i) => row === undefined ? "" : cellOf(row, majors[i])),
          amountOf(row, row.ours),
          ...python3.map(() => python.rows[row.id] === undefined ? "" : amountOf(row, python.rows[row.id]))
        ]),
        ...Object.keys(row.peers).map((name) =>
          line([
            "",
            `\`${name}\``,
            "",
            ...all.map((row) => row === undefined ? "" : valueOf({ ...row, value: row.peers[name].value })),
            "",
            ...python3.map(() => "")
          ])
        )
      ]
    })
  )
  const head = ["what", "against", "bound", ...majors.map((major) => `Node ${major}`), `ours, Node ${first}`, ...python3]
  return [line(head), line(head.map(() => "---")), ...rows].join("\n")
}

/** Replaces the table between the page's two marks. */
export const writeTable = (results) => {
  if (!existsSync(page)) {
    return
  }
  const text = readFileSync(page, "utf8")
  const [before, rest] = text.split(start)
  const [, after] = rest.split(end)
  writeFileSync(page, `${before}${start}\n\n${tableOf(results)}\n\n${end}${after}`)
}
