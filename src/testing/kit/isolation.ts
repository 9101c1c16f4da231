/**
 * The isolation test: many requests at once, through one interleaving after another, until one sees another's value.
 */
import * as stack from "../trace/stack.js"
import { seedsOf, setupOf } from "./options.js"
import type { IsolationOptions, Setup } from "./options.js"
import type { Outcome } from "./outcome.js"
import { decode, planOf } from "./plan.js"
import type { Plan } from "./plan.js"
import { counter } from "./progress.js"
import { findingOf, IsolationError } from "./report.js"
import type { IsolationReport } from "./report.js"
import type { AnyRequest, DefaultValues, RequestName, Subject } from "./request.js"
import { run } from "./run.js"
import { search } from "./search.js"

// tests of one file run at once, and a world's timers are the process's
let last: Promise<unknown> = Promise.resolve()

const inTurn = <A>(f: () => Promise<A>): Promise<A> => {
  const turn = last.then(f, f)
  last = turn.catch(() => {})
  return turn
}

const reportOf = (plans: ReadonlyArray<Plan>, steps: number, last: Outcome | undefined): IsolationReport => ({
  seeds: plans.map(({ seed }) => seed),
  requests: plans[0]?.requests.length ?? 0,
  steps,
  trace: last?.trace ?? []
})

/** Runs what a failure printed, and nothing else. */
const runReplay = async (setup: Setup, plan: Plan, site: string | undefined): Promise<IsolationReport> => {
  // what code does once a process is not to set the trace apart
  await run(setup, plan)
  const outcome = await run(setup, plan)
  if (outcome.failure !== undefined) {
    const failed = { plan, outcome, failure: outcome.failure }
    throw new IsolationError(findingOf(failed, { smallest: failed, state: "replayed" }, site), site)
  }
  return reportOf([plan], outcome.steps, outcome)
}

const runSeeds = async (
  setup: Setup,
  plans: ReadonlyArray<Plan>,
  site: string | undefined
): Promise<IsolationReport> => {
  const count = counter(plans.length)
  let steps = 0
  let outcome: Outcome | undefined
  let passed: Plan | undefined
  const attempt = async (plan: Plan): Promise<void> => {
    outcome = await run(setup, plan)
    if (outcome.failure !== undefined) {
      const found = { plan, outcome, failure: outcome.failure }
      throw new IsolationError(findingOf(found, await search(setup, found, passed), site), site)
    }
  }
  try {
    for (const first of plans.slice(0, 1)) {
      // what passes is to pass again; a request that needs others for company does not
      const alone = { ...first, requests: first.requests.slice(0, 1), waiting: [] }
      passed = (await run({ ...setup, patience: 20 }, alone)).failure === undefined ? alone : undefined
      // what code does once a process is not to set the first seed's trace apart
      await attempt(first)
    }
    for (const plan of plans) {
      await attempt(plan)
      steps += outcome!.steps
      count(steps)
    }
    return reportOf(plans, steps, outcome)
  } finally {
    count()
  }
}

/** Runs a subject through its seeds, for the test that stands at `site`. */
export const testAt = (
  site: string | undefined,
  subject: (request: AnyRequest) => unknown,
  options: IsolationOptions<any, any, any> = {}
): Promise<IsolationReport> => {
  const { replay, requests = 200 } = options
  const setup = setupOf(subject, options)
  return inTurn(() =>
    replay === undefined
      ? runSeeds(setup, seedsOf(options).map((seed) => planOf(seed, requests)), site)
      : runReplay(setup, decode(replay), site)
  )
}

/**
 * Runs a subject through its seeds.
 *
 * @since 1.0.0
 * @category testing
 */
export const isolationTest: {
  <Self = never, ROut = never>(
    subject: Subject<DefaultValues, Self | ROut>,
    options?: IsolationOptions<Self, DefaultValues, ROut>
  ): Promise<IsolationReport>
  <Values extends object, Self = never, ROut = never>(
    subject: Subject<Values, Self | ROut>,
    options: IsolationOptions<Self, Values, ROut> & { readonly values: (request: RequestName) => Values }
  ): Promise<IsolationReport>
} = (subject: (request: AnyRequest) => unknown, options?: IsolationOptions<any, any, any>): Promise<IsolationReport> =>
  testAt(stack.callSite(), subject, options)
