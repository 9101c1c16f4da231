/** What the demo shows at its end. */
import Table from "cli-table3"
import type { Said } from "./runner.js"

/** What a step wrote: for whom it believed to run, and where. */
export interface Row {
  readonly step: string
  readonly number: number
  readonly request: string
  readonly tenant: string
  readonly process: string
  readonly at: number
}

/** The runner that was killed, and when. */
export type Killed = { readonly name: string; readonly at: number } | undefined

/** One order's way over the processes: the one that saw most of them. */
export const picture = (rows: ReadonlyArray<Row>, killed: Killed): string => {
  const ways = new Map<number, Array<Row>>()
  for (const row of rows) {
    ways.set(row.number, [...ways.get(row.number) ?? [], row])
  }
  const wayOver = (way: ReadonlyArray<Row>) => new Set(way.map(({ process }) => process)).size
  const isAround = (way: ReadonlyArray<Row>) =>
    killed !== undefined && way[0]!.at < killed.at && way.at(-1)!.at > killed.at &&
    way.some(({ process }) => process === killed.name)
  const [way] = Array.from(ways.values()).toSorted((a, b) =>
    Number(isAround(b)) - Number(isAround(a)) || wayOver(b) - wayOver(a)
  )
  if (!way) {
    return "no order went any way"
  }
  const columns = ["runner-1", "runner-2", "runner-3", "billing"]
  const line = (cells: ReadonlyArray<string>, note: string) => `${cells.map((cell) => cell.padEnd(12)).join("")}${note}`
  const start = way[0]!.at
  const events = [
    ...way.map(({ at, process, request, step, tenant }) => ({
      at,
      text: line(columns.map((column) => column === process ? step : "│"), `+${at - start} ms  ${request} of ${tenant}`)
    })),
    ...killed && isAround(way)
      ? [{
        at: killed.at,
        text: line(columns.map((column) => column === killed.name ? "✕ killed" : "│"), `+${killed.at - start} ms`)
      }]
      : []
  ].toSorted((a, b) => a.at - b.at)
  return [`\nThe way of order ${way[0]!.number}\n`, line(columns, ""), ...events.map(({ text }) => text), ""].join("\n")
}

/** What was checked, and how it went. */
export const summary = (
  { count, killed, lost, rows, said, seconds, wrong }: {
    readonly count: number
    readonly rows: ReadonlyArray<Row>
    readonly said: ReadonlyArray<Said>
    readonly seconds: number
    readonly wrong: number
    readonly lost: number
    readonly killed: Killed
  }
): string => {
  const table = new Table({ style: { head: [], border: [] } })
  const saidAs = (kind: Said["kind"]) => said.filter((line) => line.kind === kind && line.order !== undefined).length
  table.push(
    ["orders", count],
    ["database rows and calls", rows.length],
    ["log lines", saidAs("log")],
    ["spans", saidAs("span")],
    ["killed", killed?.name ?? "none"],
    ["steps that were done twice", rows.length - new Set(rows.map(({ number, step }) => `${step} ${number}`)).size],
    ["of a wrong request or tenant", wrong],
    ["lost", lost],
    ["orders per second", Math.round(count / seconds)]
  )
  return table.toString()
}
