/**
 * Holds the library against the libraries that people run: `npm run test:integration`, and `-- NAME` for the scenarios whose
 * file has that in its name. Starts the servers that they need, runs each scenario in three ways, prints what each way lost
 * or mixed, and fails where that is not what the scenario expects, or not what docs/libraries.md says. `--write` writes it.
 */
import Table from "cli-table3"
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { pageOf } from "./harness/page.js"
import { runProcesses } from "./harness/processes.js"
import type { Finished } from "./harness/report.js"
import { heads, terminalRow } from "./harness/report.js"
import type { Scenario } from "./harness/scenario.js"
import { differences } from "./harness/verdict.js"
import { startServers } from "./servers/servers.js"

const { positionals, values: options } = parseArgs({
  allowPositionals: true,
  options: { write: { type: "boolean", default: false } }
})
const isWhole = positionals.length === 0

// this is run from `dist`
const installed = join(import.meta.dirname, "../node_modules")
const page = join(import.meta.dirname, "../../docs/libraries.md")

/** Two copies of Effect would be two sets of fibers. */
const checkOneEffect = (): void => {
  const effectOf = (name: string): string =>
    realpathSync(createRequire(join(installed, name, "package.json")).resolve("effect/package.json"))
  const scoped = readdirSync(join(installed, "@effect")).map((name) => `@effect/${name}`)
  const copies = new Set(["effect", "aiocontext", ...scoped].map(effectOf))
  if (copies.size > 1) {
    throw new Error(`There must be one copy of effect; there are ${Array.from(copies).join(", ")}`)
  }
}

const chosenFiles = (): ReadonlyArray<string> => {
  const all = readdirSync(join(import.meta.dirname, "scenarios")).filter((file) => file.endsWith(".js")).toSorted()
  const chosen = all.filter((file) => isWhole || positionals.some((name) => file.includes(name)))
  if (chosen.length === 0) {
    throw new Error(`No scenario is called ${positionals.join(" or ")}. There are: ${all.join(", ")}`)
  }
  return chosen
}

const load = async (file: string): Promise<Scenario> =>
  (await import(`./scenarios/${file}`) as { readonly scenario: Scenario }).scenario

const print = (finished: ReadonlyArray<Finished>): void => {
  const table = new Table({
    head: ["library", ...heads],
    colWidths: [44, 30, 30, 30, 30],
    wordWrap: true,
    style: { head: [], border: [] }
  })
  table.push(...finished.map((one) => [...terminalRow(one)]))
  console.log(table.toString())
}

/** Writes the page, or says that it is another one. */
const keepPage = (text: string): ReadonlyArray<string> => {
  if (options.write) {
    writeFileSync(page, text)
  }
  const isSame = existsSync(page) && readFileSync(page, "utf8") === text
  return isSame ? [] : ["docs/libraries.md says something else: npm run docs:libraries"]
}

const main = async (): Promise<void> => {
  // what is started is ended when this process exits
  process.once("SIGINT", () => process.exit(130))
  process.once("SIGTERM", () => process.exit(143))

  checkOneEffect()
  const files = chosenFiles()
  const scenarios = await Promise.all(files.map(load))
  const needed = new Set(scenarios.flatMap(({ needs }) => needs ?? []))
  const servers = await startServers(Array.from(needed))
  const results = await runProcesses(files, servers.urls).finally(servers.stop)

  const finished: Array<Finished> = []
  const problems = scenarios.map((scenario, index) => {
    const measured = results[index]!
    if (measured instanceof Error) {
      return [measured.message]
    }
    finished.push({ scenario, measured })
    return differences(scenario, measured)
  })
  const failed = problems.filter(({ length }) => length > 0).length
  if (isWhole && failed === 0) {
    problems.push(keepPage(pageOf(finished)))
  }

  print(finished)
  console.log([`node ${process.versions.node}`, ...servers.versions].join(", "))
  problems.flat().forEach((problem) => console.error(problem))
  console.log(`${scenarios.length - failed} passed, ${failed} failed`)
  process.exitCode = problems.flat().length === 0 ? 0 : 1
}

await main()
