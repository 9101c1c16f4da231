/** Writes the measured table into the page that explains it, and the rows that most readers ask for into the README. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { amountOf, limitOf, medianOf, valueOf, wordsOf } from "./verdict.js"

const page = new URL("../docs/performance.md", import.meta.url)
const readme = new URL("../README.md", import.meta.url)

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

/** The rows of the README. */
const summary = [
  "context-get-fiber",
  "context-run",
  "get-8",
  "set-8",
  "provide",
  "fork-join",
  "suspension",
  "http-platform",
  "http-hand-written"
]

const summaryOf = ({ nodes }) => {
  const majors = Object.keys(nodes).toSorted()
  const rowsOf = (major) => Object.values(nodes[major].suites).flat()
  const find = (major, id) => rowsOf(major).find((row) => row.id === id)
  const rows = summary.map((id) => {
    const all = majors.map((major) => find(major, id))
    return line([all[0].what, all[0].against, ...all.map((row) => row === undefined ? "" : medianOf(row)), amountOf(all[0], all[0].ours)])
  })
  const head = ["what", "beside", ...majors.map((major) => `Node ${major}`), `ours, Node ${majors[0]}`]
  return [line(head), line(head.map(() => "---")), ...rows].join("\n")
}

/** Replaces what is between a file's two marks. */
const replace = (file, table) => {
  if (!existsSync(file)) {
    return
  }
  const text = readFileSync(file, "utf8")
  const [before, rest] = text.split(start)
  const [, after] = rest.split(end)
  writeFileSync(file, `${before}${start}\n\n${table}\n\n${end}${after}`)
}

/** Writes both tables. */
export const writeTables = (results) => {
  replace(page, tableOf(results))
  replace(readme, summaryOf(results))
}
