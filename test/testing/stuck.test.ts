/**
 * A run that never ends: what the message says of what it waits on.
 */
import { describe, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import {
  Deferred,
  Effect,
  Mailbox,
  Pool,
  Queue,
  RcMap,
  RcRef,
  Request,
  RequestResolver,
  ScopedCache,
  STM,
  Stream,
  TReentrantLock
} from "effect"
import { errorOf } from "./errors.js"

class GetName extends Request.TaggedClass("GetName")<string, never, { readonly id: number }> {}

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
    yield* Effect.orDie(mailbox.take)
  }),
  "a Semaphore": Effect.gen(function*() {
    const semaphore = yield* Effect.makeSemaphore(1)
    yield* semaphore.withPermits(1)(semaphore.withPermits(1)(Effect.void))
  }),
  "a stream of a Mailbox": Effect.gen(function*() {
    const mailbox = yield* Mailbox.make<string>()
    yield* Stream.runHead(Mailbox.toStream(mailbox))
  }),
  "an RcMap": Effect.scoped(Effect.gen(function*() {
    const map = yield* RcMap.make({ lookup: (_: string) => Effect.never })
    return yield* RcMap.get(map, "key")
  })),
  "an RcRef": Effect.scoped(Effect.gen(function*() {
    const ref = yield* RcRef.make({ acquire: Effect.never })
    return yield* RcRef.get(ref)
  })),
  "a ScopedCache": Effect.scoped(Effect.gen(function*() {
    const cache = yield* ScopedCache.make({ lookup: (_: string) => Effect.never, capacity: 1, timeToLive: "1 hour" })
    return yield* cache.get("key")
  })),
  "a TReentrantLock": Effect.scoped(Effect.gen(function*() {
    const lock = yield* STM.commit(TReentrantLock.make)
    yield* Effect.forkScoped(TReentrantLock.withWriteLock(Effect.never, lock))
    yield* Effect.yieldNow()
    yield* TReentrantLock.withWriteLock(Effect.void, lock)
  })),
  "a batch of requests": Effect.gen(function*() {
    yield* Effect.request(new GetName({ id: 1 }), RequestResolver.makeBatched(() => Effect.never))
  }),
  "a callback": Effect.gen(function*() {
    yield* Effect.async<void>(() => {})
  }),
  "a concurrent forEach": Effect.gen(function*() {
    yield* Effect.forEach([1, 2], () => Effect.never, { concurrency: 2 })
  })
}

describe.sequential("a request that waits for ever on", { timeout: 240_000 }, () => {
  for (const [name, subject] of Object.entries(subjects)) {
    it(name, async ({ expect }) => {
      const { finding, message } = await errorOf(isolationTest(() => subject, { requests: 2, timeLimit: 1_000 }))
      expect(finding.failure._tag).toBe("Stuck")
      await expect(message).toMatchFileSnapshot(`messages/stuck-${name.replace(/^an? /, "").replaceAll(" ", "-")}.txt`)
    })
  }
})
