/**
 * A run that never ends: what the message says of what it waits on.
 */
import { describe, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import { Deferred, Effect, Mailbox, Pool, Queue } from "effect"
import { errorOf } from "./errors.js"

const subjects: Record<string, Effect.Effect<unknown>> = {
  "a Deferred": Effect.gen(function*() {
    const never = yield* Deferred.make<void>()
    yield* Deferred.await(never)
  }),
  "a Queue": Effect.gen(function*() {
    const queue = yield* Queue.unbounded<string>()
    yield* Queue.take(queue)
  }),
  "a Pool": Effect.scoped(Effect.gen(function*() {
    const pool = yield* Pool.make({ acquire: Effect.succeed(1), size: 1 })
    yield* pool.get
    yield* pool.get
  })),
  "a Mailbox": Effect.gen(function*() {
    const mailbox = yield* Mailbox.make<string>()
    yield* mailbox.take
  }),
  "a Semaphore": Effect.gen(function*() {
    const semaphore = yield* Effect.makeSemaphore(1)
    yield* semaphore.withPermits(1)(semaphore.withPermits(1)(Effect.void))
  }),
  "a callback": Effect.gen(function*() {
    yield* Effect.async<void>(() => {})
  }),
  "a concurrent forEach": Effect.gen(function*() {
    yield* Effect.forEach([1, 2], () => Effect.never, { concurrency: 2 })
  })
}

describe.sequential("a request that waits for ever on", { timeout: 30_000 }, () => {
  for (const [name, subject] of Object.entries(subjects)) {
    it(name, async ({ expect }) => {
      const { finding, message } = await errorOf(isolationTest(() => subject, { requests: 2, timeLimit: 1_000 }))
      expect(finding.failure._tag).toBe("Stuck")
      await expect(message).toMatchFileSnapshot(`messages/stuck-${name.replace(/^an? /, "").replaceAll(" ", "-")}.txt`)
    })
  }
})
