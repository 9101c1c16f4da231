/**
 * What an isolation test says.
 */
import { inspect } from "node:util"
import type { Trace } from "../trace/record.js"
import type { Failure, Leak, Waits } from "./outcome.js"
import { encode } from "./plan.js"
import type { Found } from "./search.js"
import type { Failed } from "./shrink.js"

/**
 * How an isolation test went that found nothing.
 *
 * @since 1.0.0
 * @category models
 */
export interface IsolationReport {
  readonly seeds: ReadonlyArray<number>
  readonly requests: number
  /** The steps of all runs. */
  readonly steps: number
  /** The last run, a line a step: the same for the same seed. */
  readonly trace: ReadonlyArray<string>
}

/**
 * What an isolation test found.
 *
 * @since 1.0.0
 * @category models
 */
export interface IsolationFinding {
  readonly seed: number
  readonly failure: Failure
  /** The run that found it. */
  readonly found: { readonly requests: number; readonly steps: number }
  /** The smallest run that still fails. */
  readonly shrunk: { readonly requests: number; readonly steps: number; readonly choices: number }
  /**
   * Whether the subject could be run again: `spoiled` if it keeps state that the run has changed, so that what passed
   * fails now, and `other` if the run that found something did not find it again. Then this is the first finding.
   */
  readonly state: Found["state"]
  /** The smallest run, a line a step. */
  readonly trace: ReadonlyArray<string>
  /** The fibers of the smallest run: `fibers.mermaid` draws them. */
  readonly fibers: Trace
  /** For the option of this name. */
  readonly replay: string
}

/** What is to be told of a search, to the test that stands at `site`. */
export const findingOf = (
  first: Failed,
  { smallest: { failure, outcome, plan }, state }: Found,
  site: string | undefined
): IsolationFinding => ({
  seed: plan.seed,
  failure,
  found: { requests: first.plan.requests.length, steps: first.outcome.steps },
  shrunk: {
    requests: plan.requests.length,
    steps: outcome.steps,
    choices: outcome.choices.filter((choice) => choice !== 0).length
  },
  state,
  trace: outcome.trace,
  fibers: outcome.fibers,
  replay: encode(plan, /([^\s(]+):\d+:\d+\)?$/.exec(site ?? "")?.[1])
})

/**
 * An isolation test failed: a request saw a value of another, the subject threw, or it got stuck.
 *
 * @since 1.0.0
 * @category errors
 */
export class IsolationError extends Error {
  override readonly name = "IsolationError"
  readonly _tag = "IsolationError"
  constructor(readonly finding: IsolationFinding, site: string | undefined) {
    const { failure } = finding
    super(messageOf(finding, site), failure._tag === "Threw" ? { cause: failure.error } : {})
  }

  /** The leak, if that is what was found. */
  get leak(): Leak | undefined {
    const { failure } = this.finding
    return failure._tag === "Leak" ? failure.leak : undefined
  }
}

// -----------------------------------------------------------------------------------------------------------------
// the message
// -----------------------------------------------------------------------------------------------------------------

const indent = `\n  ${" ".repeat(8)}`

const row = (name: string, ...lines: ReadonlyArray<string>): string => `  ${name.padEnd(8)}${lines.join(indent)}`

const cut = (text: string, length: number): string => text.length > length ? `${text.slice(0, length - 1)}…` : text

const show = (value: unknown): string =>
  cut(typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 2, breakLength: Infinity }), 200)

const leakRows = ({ key, owner, read, reader, seen, taken, value, woken }: Leak): ReadonlyArray<string> => [
  `isolation broken: ${reader} saw a value of ${owner}`,
  "",
  row("key", key),
  row("value", show(value)),
  row("seen", seen),
  read.length > 0
    ? row("read", ...read.slice(0, 3))
    : row("read", "not in a line of its own; wrap a read in request.observe(…) to have it named"),
  ...taken.length > 0 ? [row("taken", `${owner} took it from its values ${taken[0]}`, ...taken.slice(1, 3))] : [],
  woken === undefined
    ? row("woken", `nobody woke ${reader}`)
    : row("woken", `${woken.by} woke ${reader}${woken.via === undefined ? "" : `, through ${woken.via}`}`)
]

// of Effect up to 3.22.4
const defective = [
  "a Pool",
  "a Mailbox",
  "an RcMap",
  "an RcRef",
  "a ScopedCache",
  "a Semaphore",
  "a concurrent forEach",
  "a batch of requests",
  "a TReentrantLock"
]

const waitsRows = ({ at, on, request, woken }: Waits): ReadonlyArray<string> => {
  const known = on.filter((primitive) => defective.includes(primitive))
  return [
    ...on.length === 0 && at.length === 0 ? [] : [
      row("waits", `${request} waits on ${on.length === 0 ? "a callback" : on.join(", in ")}`, ...at.slice(0, 3))
    ],
    woken === undefined
      ? row("woken", `nobody woke ${request}`)
      : row("woken", `${woken.by} woke ${request} last${woken.via === undefined ? "" : `, through ${woken.via}`}`),
    ...known.length === 0 ? [] : [
      row("known", `Effect 3 has defects in ${known.join(" and ")}: see the page "Found with it" of the guide`)
    ]
  ]
}

const failureRows = (failure: Failure): ReadonlyArray<string> => {
  switch (failure._tag) {
    case "Leak": {
      return leakRows(failure.leak)
    }
    case "Threw": {
      const who = failure.request === undefined ? "the kit's own code or the layer" : `r${failure.request}`
      return [`the subject threw in ${who}: ${cut(String(failure.error).split("\n", 3).join("\n  "), 400)}`, ""]
    }
    case "Stuck": {
      const { requests } = failure
      const names = requests.slice(0, 5).map((request) => `r${request}`).join(", ")
      return [
        `${requests.length} request${requests.length === 1 ? "" : "s"} did not end in time` +
        ` (${names}${requests.length > 5 ? ", …" : ""})`,
        "",
        ...failure.waits.flatMap(waitsRows),
        row("mend", "raise timeLimit, if the subject waits for a socket, a file or a long computation")
      ]
    }
  }
}

const advice = "give the option reset, or perRun(() => …), which makes the subject anew for each run"

const stateRows = ({ state }: IsolationFinding): ReadonlyArray<string> => {
  switch (state) {
    case "spoiled": {
      return [
        row(
          "state",
          "the subject keeps state that this run has changed: a request that passed before fails now",
          advice
        )
      ]
    }
    case "other": {
      return [
        row(
          "state",
          "the same run went another way when it was run again: the subject keeps state, or it waits",
          "for something that the kit does not steer (a socket, a file); for state,",
          advice
        )
      ]
    }
    default: {
      return []
    }
  }
}

const seedRow = ({ found, seed, shrunk, state }: IsolationFinding): string => {
  const size = ({ requests, steps }: IsolationFinding["found"]) =>
    `${requests} request${requests === 1 ? "" : "s"} and ${steps} steps`
  const isShrunk = shrunk.requests < found.requests || shrunk.steps < found.steps
  return row(
    "seed",
    isShrunk
      ? `${seed}, shrunk from ${size(found)} to ${shrunk.requests} and ${shrunk.steps}`
      : `${seed}, with ${size(found)}${state === "same" || state === "replayed" ? "" : ", which could not be shrunk"}`
  )
}

const messageOf = (finding: IsolationFinding, site: string | undefined): string => {
  const { failure, replay, seed, trace } = finding
  // the kit's own beginnings tell nothing
  const steps = trace.slice(trace.findIndex((line) => line.endsWith(" starts")))
  const skipped = Math.max(steps.length - 12, 0)
  return [
    ...failureRows(failure),
    ...site === undefined ? [] : [row("subject", `given to isolationTest at ${site}`)],
    ...stateRows(finding),
    seedRow(finding),
    "",
    `  steps${skipped > 0 ? ` (the last 12 of ${steps.length})` : ""}`,
    ...steps.slice(skipped).map((line) => `    ${line}`),
    "",
    `  again   isolationTest(subject, { seed: ${seed} })`,
    `  this    isolationTest(subject, { replay: "${replay}" })`
  ].join("\n")
}
