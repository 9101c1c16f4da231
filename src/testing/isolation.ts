/**
 * The isolation test: many requests at once, through one interleaving after another, until one sees another's value.
 */
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Context from "../Context.js"
import { run } from "./run.js"
import type { AnyRequest, Failure, Leak, Outcome, Plan, Setup, Storage, TestRequest, Watched } from "./run.js"
import { sameKind, shrink } from "./shrink.js"
import type { Failed } from "./shrink.js"
import * as stack from "./stack.js"
import type { Trace } from "./trace.js"
import { machineTime } from "./world.js"

/** The values that a request has where the test does not say otherwise. */
export interface DefaultValues {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
}

/** What the values of a request are made from. */
export interface RequestName {
  readonly id: string
  readonly index: number
  /** Put this into every string, so that the kit knows the string wherever it turns up, in a longer one too. */
  readonly mark: string
}

/** Options of {@link isolationTest}. */
export interface IsolationOptions<Self, Values, ROut> {
  /** The number of concurrent requests. Default: 200. */
  readonly requests?: number
  /** How many seeds to go through, from 1, or which. Default: 20. */
  readonly seeds?: number | ReadonlyArray<number>
  /** One seed: the one that a failure printed, say. */
  readonly seed?: number
  /** A shrunk run, as a failure printed it: runs that one and nothing else. */
  readonly replay?: string
  /** The values of a request. Values that two requests share are not watched. Default: {@link DefaultValues}. */
  readonly values?: (request: RequestName) => Values
  /** The context to watch: attached to each request, with its values. */
  readonly context?: Context.TagClass<Self, string, Values>
  /**
   * The `AsyncLocalStorage` instances to watch, any library's: each request enters them with its values, or with what
   * the function beside the storage makes of the request.
   */
  readonly storages?: ReadonlyArray<
    Storage<unknown> | readonly [storage: Storage<unknown>, store: (request: TestRequest<Values>) => unknown]
  >
  /** The services of the subject: built once a run, shared by its requests. */
  readonly layer?: Layer.Layer<ROut, unknown>
  /** Whether `compat.layer` is there. Default: true. */
  readonly bridge?: boolean
  /** Puts back what the subject keeps outside of itself; called before each run, so that runs do not see each other. */
  readonly reset?: () => void | PromiseLike<void>
  /** How long one run may take, and a tenth of it with nothing to do, in milliseconds. Default: 5,000. */
  readonly timeLimit?: number
}

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

// -----------------------------------------------------------------------------------------------------------------
// plans
// -----------------------------------------------------------------------------------------------------------------

const planOf = (seed: number, requests: number): Plan => {
  const all = Array.from({ length: requests }, (_, index) => index)
  return { seed, requests: all, waiting: all, shift: 0, choices: undefined, explain: false }
}

const encode = ({ choices, requests, seed, shift, waiting }: Plan): string =>
  [
    seed,
    shift,
    requests.join("."),
    waiting.join("."),
    choices === undefined ? "seed" : choices.join(".")
  ].join(":")

const decode = (replay: string): Plan => {
  const [seed, shift, requests, waiting, choices] = replay.split(":")
  const numbers = (text: string | undefined) => text === undefined || text === "" ? [] : text.split(".").map(Number)
  const plan: Plan = {
    seed: Number(seed),
    shift: Number(shift),
    requests: numbers(requests),
    waiting: numbers(waiting),
    choices: choices === "seed" ? undefined : numbers(choices),
    explain: true
  }
  if ([plan.seed, plan.shift, ...plan.requests, ...plan.waiting, ...plan.choices ?? []].some(Number.isNaN)) {
    throw new TypeError(
      `isolationTest: replay takes what a failed test printed, as in "4:0:3.7::0.1", and got ${JSON.stringify(replay)}`
    )
  }
  return plan
}

const trimmed = (choices: ReadonlyArray<number>): ReadonlyArray<number> =>
  choices.slice(0, choices.findLastIndex((choice) => choice !== 0) + 1)

const seedsOf = ({ seed, seeds = 20 }: IsolationOptions<any, any, any>): ReadonlyArray<number> => {
  if (seed !== undefined) {
    return [seed]
  }
  return typeof seeds === "number" ? Array.from({ length: seeds }, (_, index) => index + 1) : seeds
}

const setupOf = (
  subject: (request: AnyRequest) => unknown,
  { timeLimit = 5_000, ...options }: IsolationOptions<any, any, any>
): Setup => ({
  subject,
  context: options.context,
  storages: (options.storages ?? []).map((watched): Watched =>
    "getStore" in watched
      ? { storage: watched, store: (request) => request.values }
      : { storage: watched[0], store: watched[1] }
  ),
  values: options.values ?? (({ mark }): DefaultValues => ({
    request_id: `request_id${mark}`,
    user: `user${mark}`,
    tenant: `tenant${mark}`
  })),
  layer: (options.layer ?? Layer.empty) as Layer.Layer<any, any, never>,
  bridge: options.bridge ?? true,
  reset: options.reset ?? (() => {}),
  limit: timeLimit,
  patience: timeLimit / 10
})

// -----------------------------------------------------------------------------------------------------------------
// the test
// -----------------------------------------------------------------------------------------------------------------

// tests of one file run at once, and a world's timers are the process's
let last: Promise<unknown> = Promise.resolve()

const inTurn = <A>(f: () => Promise<A>): Promise<A> => {
  const turn = last.then(f, f)
  last = turn.catch(() => {})
  return turn
}

const attempts = 400

const failedAs = async (setup: Setup, plan: Plan, first: Failure): Promise<Failed | undefined> => {
  const outcome = await run(setup, plan)
  const { failure } = outcome
  return failure !== undefined && sameKind(first, failure, plan) ? { plan, outcome, failure } : undefined
}

const findingOf = async (setup: Setup, first: Failed): Promise<IsolationFinding> => {
  // attempts that end stuck are not to take the whole time limit each
  const hasty = first.failure._tag === "Stuck" ? { ...setup, limit: setup.limit / 5, patience: 20 } : setup
  const deadline = machineTime() + setup.limit
  let left = attempts
  const shrunk = await shrink(
    first,
    async (plan) => left-- <= 0 || machineTime() > deadline ? undefined : failedAs(hasty, plan, first.failure)
  )
  const { failure, outcome, plan } = await failedAs(setup, { ...shrunk.plan, explain: true }, first.failure) ?? first
  const choices = trimmed(outcome.choices)
  return {
    seed: plan.seed,
    failure,
    found: { requests: first.plan.requests.length, steps: first.outcome.steps },
    shrunk: {
      requests: plan.requests.length,
      steps: outcome.steps,
      choices: choices.filter((choice) => choice !== 0).length
    },
    trace: outcome.trace,
    fibers: outcome.fibers,
    replay: encode({ ...plan, choices })
  }
}

const runPlans = async (
  setup: Setup,
  plans: ReadonlyArray<Plan>,
  subject: string | undefined
): Promise<IsolationReport> => {
  let steps = 0
  let outcome: Outcome | undefined
  const [first] = plans
  if (first !== undefined) {
    // what code does once a process is not to set the first seed's trace apart
    await run(setup, { ...first, choices: undefined, explain: false })
  }
  for (const plan of plans) {
    outcome = await run(setup, plan)
    steps += outcome.steps
    if (outcome.failure !== undefined) {
      throw new IsolationError(
        await findingOf(setup, { plan, outcome, failure: outcome.failure }),
        subject
      )
    }
  }
  return {
    seeds: plans.map(({ seed }) => seed),
    requests: plans[0]?.requests.length ?? 0,
    steps,
    trace: outcome?.trace ?? []
  }
}

/** What an isolation test runs: an effect or an async handler, given a request. */
export type Subject<Values, R> = (
  request: TestRequest<Values>
) => Effect.Effect<unknown, unknown, R> | PromiseLike<unknown>

/** Runs a subject through its seeds. */
export const isolationTest: {
  <Self = never, ROut = never>(
    subject: Subject<DefaultValues, Self | ROut>,
    options?: IsolationOptions<Self, DefaultValues, ROut>
  ): Promise<IsolationReport>
  <Values extends object, Self = never, ROut = never>(
    subject: Subject<Values, Self | ROut>,
    options: IsolationOptions<Self, Values, ROut> & { readonly values: (request: RequestName) => Values }
  ): Promise<IsolationReport>
} = (
  subject: (request: AnyRequest) => unknown,
  options: IsolationOptions<any, any, any> = {}
): Promise<IsolationReport> => {
  const site = stack.callSite()
  const { replay, requests = 200 } = options
  const setup = setupOf(subject, options)
  const plans = replay === undefined
    ? seedsOf(options).map((seed) => planOf(seed, requests))
    : [decode(replay)]
  return inTurn(() => runPlans(setup, plans, site))
}

// -----------------------------------------------------------------------------------------------------------------
// the message
// -----------------------------------------------------------------------------------------------------------------

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
