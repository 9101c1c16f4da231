import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { isolationTest } from "aiocontext/testing"
import type { IsolationError } from "aiocontext/testing"
import { Effect } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout as sleep } from "node:timers/promises"
import { errorOf } from "./errors.js"

const expectLeak = ({ finding: { seed, shrunk }, leak, message }: IsolationError, key: string) => {
  expect(seed).toBeLessThanOrEqual(20)
  expect(leak?.key).toBe(key)
  expect(leak?.reader).not.toBe(leak?.owner)
  expect(String(leak?.value)).toContain(`~${leak?.owner}~`)
  expect(shrunk.requests).toBe(2)
  expect(message).toContain(`isolation broken: ${leak?.reader} saw a value of ${leak?.owner}`)
  expect(message).toContain(`{ seed: ${seed} }`)
}

class Request extends Context.Tag("test/defects/Request")<Request, {
  readonly request_id: string
  readonly user: string
  readonly tenant: string
}>() {}
const request = compat.make(Request)

describe.sequential("the kit finds", { timeout: 240_000 }, () => {
  it("a handler that keeps its value in a module variable", async () => {
    let current = ""
    const handler = (user: string) =>
      Effect.gen(function*() {
        current = user
        yield* Effect.sleep(5)
        return current
      })
    const error = await errorOf(isolationTest((request) =>
      Effect.gen(function*() {
        return request.observe(yield* handler(request.values.user))
      })
    ))
    expectLeak(error, "user")
    expect(error.leak?.read[0]).toContain("test/testing/defects.test.ts")
    expect(error.leak?.taken[0]).toContain("test/testing/defects.test.ts")
  })

  it("the same in an async handler, across a bare await", async () => {
    let current = ""
    const error = await errorOf(isolationTest(async (request) => {
      current = request.values.tenant
      await Promise.resolve()
      return request.observe(current)
    }))
    expectLeak(error, "tenant")
  })

  it("a bare AsyncLocalStorage read in a fiber that another request wakes, without the bridge", async () => {
    const storage = new AsyncLocalStorage<{ readonly user: string }>()
    const subject = Effect.gen(function*() {
      yield* Effect.yieldNow()
      return storage.getStore()?.user
    })
    const error = await errorOf(isolationTest(() => subject, { storages: [storage], bridge: false }))
    expect(error.leak?.read[0]).toContain("test/testing/defects.test.ts")
    expect(error.finding.seed).toBeLessThanOrEqual(20)
    expect((await isolationTest(() => subject, { storages: [storage], seeds: 3 })).seeds).toHaveLength(3)
  })

  it("a shared Map", async () => {
    const session = new Map<string, string>()
    const error = await errorOf(isolationTest(async (request) => {
      session.set("user", request.values.user)
      await sleep(3)
      return { answer: { user: session.get("user") } }
    }))
    expectLeak(error, "user")
    expect(error.leak?.seen).toContain(".answer.user")
  })

  it("a memoized value, computed in the first request's context", async () => {
    let memo: Effect.Effect<string, never, Request> | undefined
    const greeting = Effect.map(Request.get("user"), (user) => `Hello, ${user}`)
    const error = await errorOf(isolationTest(
      (request) =>
        Effect.gen(function*() {
          memo ??= yield* Effect.cached(greeting)
          return request.observe(yield* memo)
        }),
      {
        context: Request,
        reset: () => {
          memo = undefined
        }
      }
    ))
    expectLeak(error, "user")
  })

  it("a batch loader that runs in one request's context for all", async () => {
    let waiting: Array<(name: string) => void> = []
    const load = () =>
      new Promise<string>((resolve) => {
        if (waiting.push(resolve) === 1) {
          setTimeout(() => {
            const batch = waiting
            waiting = []
            batch.forEach((resolve) => resolve(`orders of ${request.get("tenant")}`))
          }, 2)
        }
      })
    const error = await errorOf(isolationTest(async (request) => request.observe(await load()), {
      context: Request,
      reset: () => {
        waiting = []
      }
    }))
    expectLeak(error, "tenant")
  })

  it("a timer that fires after its request ended, and writes", async () => {
    const connection = { user: "" }
    const semaphore = Effect.unsafeMakeSemaphore(1)
    const error = await errorOf(isolationTest((request) =>
      semaphore.withPermits(1)(Effect.gen(function*() {
        connection.user = request.values.user
        yield* Effect.sleep(1)
        const seen = request.observe(connection.user)
        setTimeout(() => {
          connection.user = request.values.user
        }, 10)
        return seen
      }))
    ))
    expectLeak(error, "user")
  })
})
