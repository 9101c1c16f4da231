/**
 * What an isolation test says.
 */
import type { Trace } from "../trace/record.js"
import type { Failure, Leak } from "./outcome.js"

/** How an isolation test went that found nothing. */
export interface IsolationReport {
  readonly seeds: ReadonlyArray<number>
  readonly requests: number
  /** The steps of all runs. */
  readonly steps: number
  /** The last run, a line a step: the same for the same seed. */
  readonly trace: ReadonlyArray<string>
}

/** What an isolation test found. */
export interface IsolationFinding {
  readonly seed: number
  readonly failure: Failure
  /** The run that found it. */
  readonly found: { readonly requests: number; readonly steps: number }
  /** The smallest run that still fails. */
  readonly shrunk: { readonly requests: number; readonly steps: number; readonly choices: number }
  /** The smallest run, a line a step. */
  readonly trace: ReadonlyArray<string>
  /** The fibers of the smallest run: `await fibers.picture()` draws them. */
  readonly fibers: Trace
  /** For the option of this name. */
  readonly replay: string
}

/** An isolation test failed: a request saw a value of another, the subject threw, or it got stuck. */
export class IsolationError extends Error {
  override readonly name = "IsolationError"
  readonly _tag = "IsolationError"
  constructor(readonly finding: IsolationFinding, subject: string | undefined) {
    super(
      messageOf(finding, subject),
      finding.failure._tag === "Threw" ? { cause: finding.failure.error } : {}
    )
  }

  /** The leak, if that is what was found. */
  get leak(): Leak | undefined {
    const { failure } = this.finding
    return failure._tag === "Leak" ? failure.leak : undefined
  }
}

const row = (name: string, text: string): string => `  ${name.padEnd(8)}${text}`

const frames = (lines: ReadonlyArray<string>): string => lines.slice(0, 3).join(`\n  ${" ".repeat(8)}`)

const show = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? JSON.stringify(value) : String(value)

const leakRows = (leak: Leak): ReadonlyArray<string> => [
  `isolation broken: ${leak.reader} saw a value of ${leak.owner}`,
  "",
  row("key", leak.key),
  row("value", show(leak.value)),
  row("seen", leak.seen),
  row(
    "read",
    leak.read.length > 0
      ? frames(leak.read)
      : "not in a line of its own; wrap a read in request.observe(…) to have it named"
  ),
  ...(leak.taken.length > 0 ? [row("taken", `${leak.owner} took it from its values ${frames(leak.taken)}`)] : []),
  row(
    "woken",
    leak.woken === undefined
      ? `nobody woke ${leak.reader}`
      : `${leak.woken.by} woke ${leak.reader}${leak.woken.via === undefined ? "" : `, through ${leak.woken.via}`}`
  )
]

const failureRows = (failure: Failure): ReadonlyArray<string> => {
  switch (failure._tag) {
    case "Leak": {
      return leakRows(failure.leak)
    }
    case "Threw": {
      const who = failure.request === undefined ? "the kit's own code or the layer" : `r${failure.request}`
      return [`the subject threw in ${who}: ${String(failure.error)}`, ""]
    }
    case "Stuck": {
      const names = failure.requests.slice(0, 5).map((request) => `r${request}`).join(", ")
      return [
        `${failure.requests.length} request${failure.requests.length === 1 ? "" : "s"} did not end in time` +
        ` (${names}${failure.requests.length > 5 ? ", …" : ""})`,
        "",
        row("mend", "raise timeLimit, if the subject waits for a socket, a file or a long computation")
      ]
    }
  }
}

const messageOf = (finding: IsolationFinding, subject: string | undefined): string => {
  const { failure, found, replay, seed, shrunk, trace } = finding
  // the kit's own beginnings tell nothing
  const steps = trace.slice(trace.findIndex((line) => line.endsWith(" starts")))
  const skipped = Math.max(steps.length - 12, 0)
  return [
    ...failureRows(failure),
    ...(subject === undefined ? [] : [row("subject", `given to isolationTest at ${subject}`)]),
    row(
      "seed",
      `${seed}, shrunk from ${found.requests} requests and ${found.steps} steps to ${shrunk.requests} and ${shrunk.steps}`
    ),
    "",
    `  steps${skipped > 0 ? ` (the last 12 of ${steps.length})` : ""}`,
    ...steps.slice(skipped).map((line) => `    ${line}`),
    "",
    `  again   isolationTest(subject, { seed: ${seed} })`,
    `  this    isolationTest(subject, { replay: "${replay}" })`
  ].join("\n")
}
