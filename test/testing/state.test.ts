/**
 * Subjects with state of their own: what a run leaves behind in it is not to speak of later runs.
 */
import { describe, it } from "@effect/vitest"
import { isolationTest, perRun } from "aiocontext/testing"
import type { DefaultValues, TestRequest } from "aiocontext/testing"
import { Effect } from "effect"
import { errorOf } from "./errors.js"

type Request = TestRequest<DefaultValues>

/** A semaphore of promise code, which no interruption reaches. */
const makePermits = (permits: number) => {
  const waiting: Array<() => void> = []
  let free = permits
  return {
    acquire: async () => free > 0 ? void free-- : new Promise<void>((resolve) => void waiting.push(resolve)),
    release: () => {
      const next = waiting.shift()
      if (next === undefined) {
        free++
      } else {
        next()
      }
    }
  }
}

/** A handler that forgets to release a permit now and then. */
const makeForgetful = () => {
  const permits = makePermits(2)
  return async ({ index, waitPromise }: Request) => {
    await permits.acquire()
    await waitPromise()
    if (index % 50 !== 7) {
      permits.release()
    }
  }
}

describe.sequential("a subject whose module keeps", { timeout: 240_000 }, () => {
  it("a semaphore of Effect is shrunk to the two requests that meet", async ({ expect }) => {
    const semaphore = Effect.unsafeMakeSemaphore(3)
    let current = ""
    const { finding, leak } = await errorOf(
      isolationTest(({ observe, values }) =>
        semaphore.withPermits(1)(Effect.gen(function*() {
          current = values.user
          yield* Effect.sleep(5)
          return observe(current)
        }))
      )
    )
    expect(leak?.key).toBe("user")
    expect([finding.state, finding.found.requests, finding.shrunk.requests]).toEqual(["same", 200, 2])
  })

  it("a semaphore of promise code is shrunk too: a run that has found something runs out", async ({ expect }) => {
    const permits = makePermits(2)
    let current = ""
    const { finding, leak } = await errorOf(isolationTest(async ({ observe, values, waitPromise }) => {
      await permits.acquire()
      current = values.user
      await waitPromise()
      const seen = observe(current)
      permits.release()
      return seen
    }))
    expect(leak?.key).toBe("user")
    expect([finding.state, finding.found.requests, finding.shrunk.requests]).toEqual(["same", 200, 2])
  })

  it("what a run takes for good is told with its first finding, and with what mends it", async ({ expect }) => {
    const { finding, message } = await errorOf(isolationTest(makeForgetful(), { timeLimit: 2_000 }))
    expect([finding.state, finding.failure._tag]).toEqual(["spoiled", "Stuck"])
    expect(finding.shrunk).toMatchObject(finding.found)
    await expect(message).toMatchFileSnapshot("messages/spoiled.txt")
  })

  it("is made anew for each run with perRun", async ({ expect }) => {
    const { finding } = await errorOf(isolationTest(perRun(makeForgetful)))
    expect([finding.state, finding.failure._tag]).toEqual(["same", "Stuck"])
    expect(finding.shrunk.requests).toBeLessThan(10)
  })

  it("something that happens once is told as it was seen", async ({ expect }) => {
    let current = ""
    let warm = false
    const { finding, message } = await errorOf(isolationTest(({ observe, values }) =>
      Effect.gen(function*() {
        const cold = !warm && current !== "" && current !== values.user
        warm ||= cold
        current = values.user
        yield* Effect.void
        return observe(cold ? "user~r3~" : "")
      }), { requests: 8 }))
    expect(finding.state).toBe("other")
    await expect(message).toMatchFileSnapshot("messages/other.txt")
  })
})

describe.sequential("a large run that is stuck", { timeout: 240_000 }, () => {
  it("is shrunk as well, in the order that its requests had", async ({ expect }) => {
    let inside = 0
    const { finding } = await errorOf(isolationTest(({ index, wait }) =>
      Effect.gen(function*() {
        inside++
        yield* wait
        inside--
        if (index === 150 && inside > 5) {
          return yield* Effect.never
        }
        return undefined
      }), { reset: () => void (inside = 0) }))
    expect(finding.failure).toMatchObject({ _tag: "Stuck", requests: [150] })
    expect(finding.shrunk.requests).toBeLessThan(30)
    expect(finding.replay.length).toBeLessThan(400)
  })
})
