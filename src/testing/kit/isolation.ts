/**
 * The isolation test: many requests at once, through one interleaving after another, until one sees another's value.
 */
import { machineTime } from "../world/clock.js"
import { seedsOf, setupOf } from "./options.js"
import type { IsolationOptions, Setup } from "./options.js"
import type { Failure, Outcome } from "./outcome.js"
import { decode, encode, planOf } from "./plan.js"
import type { Plan } from "./plan.js"
import { IsolationError } from "./report.js"
import type { IsolationFinding, IsolationReport } from "./report.js"
import type { AnyRequest, DefaultValues, RequestName, Subject } from "./request.js"
import { run } from "./run.js"
import { sameKind, shrink } from "./shrink.js"
import type { Failed } from "./shrink.js"
import * as stack from "./stack.js"

const trimmed = (choices: ReadonlyArray<number>): ReadonlyArray<number> =>
  choices.slice(0, choices.findLastIndex((choice) => choice !== 0) + 1)

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
