/**
 * Runs tests as the isolation kit's subjects: a runner of vitest's that `npm run test:isolation` puts in the place of the
 * usual one. All tests of a file (or of a sequential suite, one after the other) are requests of the same runs: each body
 * is the handler of several of them, and its own assertions hold in every interleaving.
 */
import { it } from "@effect/vitest"
import { IsolationError, isolationTest } from "aiocontext/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import { VitestTestRunner } from "vitest/runners"
import { getFn } from "vitest/suite"
import { notRequests } from "./not-requests.js"

/** What a test that has run as requests says of it, to whoever counts. */
export interface AsRequests {
  readonly seeds: number
  readonly requests: number
  readonly steps: number
  readonly seconds: number
  readonly batch: number
}

interface Suite {
  readonly name: string
  readonly suite?: Suite
}

interface Test {
  readonly name: string
  readonly suite?: Suite
  readonly file: Suite
  readonly context: object
  readonly meta: object
  promises?: Array<unknown>
}

interface Subject {
  readonly test: Test
  readonly body: (context: object) => unknown
  readonly done: (error?: unknown) => void
}

// the clock is the world's, and the layers of a test's clock cost more than most tests
Object.assign(it, { effect: it.live, scoped: it.scopedLive })

const copies = 2
const storage = new AsyncLocalStorage<unknown>()

const culpritsOf = (error: unknown, subjects: ReadonlyArray<Subject>): ReadonlyArray<Subject> => {
  const failure = error instanceof IsolationError ? error.finding.failure : undefined
  const requests = failure?._tag === "Threw" ? [failure.request ?? 0] : failure?.requests
  return requests?.map((request) => subjects[request % subjects.length]!) ?? subjects
}

let batches = 0

const runAll = async (subjects: ReadonlyArray<Subject>): Promise<void> => {
  const start = performance.now()
  const requests = copies * subjects.length
  try {
    const report = await isolationTest(async ({ index, observe }) => {
      const { body, test } = subjects[index % subjects.length]!
      await body({ ...test.context, onTestFinished: () => {}, signal: new AbortController().signal })
      return observe(storage.getStore())
    }, {
      requests,
      storages: [storage],
      timeLimit: 60_000,
      // the promises of `expect(…).rejects`, which each test awaits
      reset: () => subjects.forEach(({ test }) => void (test.promises = []))
    })
    const asRequests: AsRequests = {
      seeds: report.seeds.length,
      requests,
      steps: report.steps,
      seconds: (performance.now() - start) / 1000,
      batch: ++batches
    }
    for (const { done, test } of subjects) {
      Object.assign(test.meta, { asRequests })
      done()
    }
  } catch (error) {
    const culprits = culpritsOf(error, subjects)
    culprits.forEach(({ done }) => done(error))
    const others = subjects.filter((subject) => !culprits.includes(subject))
    return others.length === 0 ? undefined : runAll(others)
  }
}

const placeOf = (test: Test): string => {
  const names = [test.name]
  for (let { suite } = test; suite !== undefined && suite !== test.file; suite = suite.suite) {
    names.unshift(suite.name)
  }
  return [test.file.name, ...names].join(" > ")
}

let waiting: Array<Subject> = []

export default class AsRequestsRunner extends VitestTestRunner {
  /** Waits for the other tests that start now, and runs them all. */
  runTask(test: Test): Promise<void> {
    const place = placeOf(test)
    const exception = Object.keys(notRequests).find((start) => place.startsWith(start))
    if (exception !== undefined) {
      Object.assign(test.meta, { exception })
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const body = getFn(test as never) as (context?: object) => unknown
      const done = (error?: unknown) => error === undefined ? resolve() : reject(error)
      if (waiting.push({ test, body, done }) === 1) {
        setTimeout(() => {
          const subjects = waiting
          waiting = []
          void runAll(subjects)
        }, 50)
      }
    })
  }
}
