/**
 * Runs the suites, each in a process of its own, on this Node and on the one of the npm package `node`.
 *
 *     node run.js            all suites
 *     node run.js NAME …     some
 *     node run.js --check    exits with 1 where a bound is missed
 */
import Table from "cli-table3"
import { spawn } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { drawChart } from "./chart.js"
import { writeTables } from "./page.js"
import { amountOf, limitOf, valueOf, verdict, wordsOf } from "./verdict.js"

const here = (path) => new URL(path, import.meta.url).pathname

const suites = ["fiber", "layer", "bridge", "promise", "clsHooked", "http", "rpc", "memory", "concurrent", "leak", "reach"]

const args = process.argv.slice(2)
const check = args.includes("--check")
const names = args.filter((arg) => !arg.startsWith("--"))
const unknown = names.filter((name) => !suites.includes(name))
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(", ")}. There are: ${suites.join(", ")}.`)
  process.exit(2)
}

/** The output of a process, if it ends well. */
const output = (command, args) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { cwd: here("."), stdio: ["ignore", "pipe", "inherit"] })
    const chunks = []
    child.stdout.on("data", (chunk) => chunks.push(chunk))
    child.on("error", () => resolve(undefined))
    child.on("close", (code) => resolve(code === 0 ? Buffer.concat(chunks).toString() : undefined))
  })

// the package's install script puts the binary into its own folder; where scripts do not run, it is in the package of
// the platform
const otherNode = [
  "node_modules/node/bin/node",
  `node_modules/node-${process.platform}-${process.arch}/bin/node`
].map(here).find(existsSync)

const versionOf = async (binary) => (await output(binary, ["--version"]))?.trim()

const binaries = [process.execPath, otherNode].filter((binary) => binary !== undefined)

const resultsFile = here("results.json")
const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, "utf8")) : { nodes: {} }

const printTable = (suite, version, rows) => {
  const major = majorOf(version)
  const table = new Table({
    head: [`${suite}, Node ${version}`, "against", "value", "bound", "ours", "theirs", ""],
    colWidths: [38, 30, 24, 14, 12, 12, 30],
    wordWrap: true,
    style: { head: [], border: [] }
  })
  for (const row of rows) {
    table.push([
      row.what,
      row.against,
      valueOf(row),
      limitOf(row, major),
      amountOf(row, row.ours),
      amountOf(row, row.base),
      wordsOf(row, major)
    ])
    for (const [name, { theirs, value }] of Object.entries(row.peers)) {
      table.push(["", name, valueOf({ ...row, value }), "", "", amountOf(row, theirs), ""])
    }
  }
  console.log(table.toString())
}

const majorOf = (version) => version.replace(/^v?(\d+).*/, "$1")

const missed = []

for (const suite of names.length === 0 ? suites : names) {
  for (const binary of binaries) {
    const version = await versionOf(binary)
    console.error(`${suite}, Node ${version}`)
    const out = await output(binary, ["--expose-gc", here(`suites/${suite}.js`)])
    if (out === undefined) {
      console.error(`The suite ${suite} failed on Node ${version}.`)
      process.exit(1)
    }
    const rows = JSON.parse(out)
    printTable(suite, version, rows)
    const major = majorOf(version)
    const node = results.nodes[major] ??= { version, suites: {} }
    node.version = version
    node.suites[suite] = rows
    missed.push(...rows.filter((row) => verdict(row, major).missed).map(({ id }) => `${id} on Node ${major}`))
  }
}

if (names.length === 0 || names.includes("promise")) {
  const python = await output("python3", [here("cpython.py")])
  if (python !== undefined) {
    results.python = JSON.parse(python)
  }
}

writeFileSync(resultsFile, `${JSON.stringify(results, null, 1)}\n`)
writeFileSync(here("results.svg"), await drawChart(results))
writeTables(results)

if (missed.length > 0) {
  console.error(`Bounds missed: ${missed.join(", ")}.`)
  process.exitCode = check ? 1 : 0
}
