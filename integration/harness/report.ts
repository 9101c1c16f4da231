/**
 * What is said of a scenario's results: a row of the table, for the terminal and for docs/libraries.md.
 */
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import type { Measured } from "./run-scenario.js"
import type { Result, Results, Scenario } from "./scenario.js"
import { resultOf } from "./tally.js"
import { columns, countOf, placesOf } from "./verdict.js"

export interface Finished {
  readonly scenario: Scenario
  readonly measured: Measured
}

export const heads = ["bare `AsyncLocalStorage`", "Effect alone", "Effect alone, woken by another", "with the bridge"]

const { resolve } = createRequire(import.meta.url)

/** A package may hide its package.json from `resolve`, so that it is looked for where packages are. */
const installedVersion = (name: string): string => {
  const manifest = resolve.paths(name)?.map((folder) => join(folder, name, "package.json")).find(existsSync)
  if (manifest === undefined) {
    throw new Error(`${name} is not installed: npm ci --prefix integration`)
  }
  return (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version
}

export const versionsOf = ({ packages }: Scenario): ReadonlyArray<string> =>
  packages.map((name) => `${name} ${installedVersion(name)}`)

interface Group {
  readonly result: Result
  readonly places: ReadonlyArray<string>
  /** How many checks went wrong there, of how many. */
  readonly wrong: number
  readonly checks: number
}

const groupsOf = (measured: Measured, column: keyof Results): ReadonlyArray<Group> =>
  (["mixed", "lost", "kept"] as const).map((result) => {
    const found = placesOf(measured).flatMap((place) => {
      const count = countOf(measured, column, place)
      return count !== undefined && resultOf(count) === result ? [{ place, count }] : []
    })
    return {
      result,
      places: found.map(({ place }) => place),
      wrong: found.reduce((sum, { count }) => sum + count.missing + count.foreign, 0),
      checks: found.reduce((sum, { count }) => sum + count.checks, 0)
    }
  }).filter(({ places }) => places.length > 0)

/** The cells of a scenario's row; one result for the whole cell where all its places have it. */
const cellsOf = (measured: Measured, show: (group: Group) => string): ReadonlyArray<string> =>
  columns.map((column) => {
    const groups = groupsOf(measured, column)
    return groups.length === 1
      ? show({ ...groups[0]!, places: [] })
      : groups.filter(({ result }) => result !== "kept").map(show).join("\n")
  })

const named = (places: ReadonlyArray<string>): string => places.length === 0 ? "" : `: ${places.join("; ")}`

/** A row with figures. */
export const terminalRow = ({ measured, scenario }: Finished): ReadonlyArray<string> => [
  [scenario.library, ...versionsOf(scenario)].join("\n"),
  ...cellsOf(
    measured,
    ({ checks, places, result, wrong }) =>
      result === "kept" ? `kept ${checks}` : `${result} ${wrong} of ${checks}${named(places)}`
  )
]

const escaped = (text: string): string => text.replaceAll("|", "\\|")

/** A row without figures, which differ from run to run. */
export const pageRow = ({ measured, scenario }: Finished): string => {
  const cells = cellsOf(measured, ({ places, result }) => `**${result}**${named(places)}`.replace("**kept**", "kept"))
  const row = [scenario.library, versionsOf(scenario).join("<br>"), ...cells]
  return `| ${row.map((cell) => escaped(cell.replaceAll("\n", "<br>"))).join(" | ")} |`
}

/** Why a library's values do not stay, and the line that mends it: a line for all places with the same reason. */
export const pageNotes = ({ scenario }: Finished): ReadonlyArray<string> => {
  const expected = Object.entries(scenario.expected)
  const reasons = Array.from(new Set(expected.map(([, { why }]) => why)))
  return reasons.map((reason) => {
    const alike = expected.filter(([, { why }]) => why === reason)
    const [mend] = alike.flatMap(([, { mend }]) => mend ?? [])
    const places = alike.map(([place]) => place).join("; ")
    return `- **${scenario.library}**, ${places}: ${reason}.${
      mend === undefined ? "" : ` With the bridge: \`${mend}\`.`
    }`
  })
}
