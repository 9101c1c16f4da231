/**
 * What the guide advises where Effect has a defect: no yield makes these go wrong.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Duration,
  Effect,
  Fiber,
  Pool,
  Queue,
  RcMap,
  RcRef,
  Request,
  RequestResolver,
  ScopedCache,
  Stream
} from "effect"
import { hangs, places } from "../../docs/findings/yields.js"

class GetName extends Request.TaggedClass("GetName")<string, never, { readonly id: number }> {}

const names = RequestResolver.makeBatched((requests: ReadonlyArray<GetName>) =>
  Effect.forEach(requests, (request) => Request.succeed(request, "ann"), { discard: true })
)

const programs: Record<string, Effect.Effect<boolean>> = {
  "a Pool behind a semaphore": Effect.scoped(Effect.gen(function*() {
    let made = 0
    const pool = yield* Pool.make({ acquire: Effect.sync(() => ++made), size: 2 })
    const gate = yield* Effect.makeSemaphore(1)
    const use = Effect.scoped(Effect.zipLeft(gate.withPermits(1)(pool.get), Effect.sleep(1)))
    const [first, second] = yield* Effect.all([use, use], { concurrency: "unbounded" })
    return first === second
  })),
  "an RcMap behind a semaphore": Effect.scoped(Effect.gen(function*() {
    let made = 0
    const map = yield* RcMap.make({ lookup: (_: string) => Effect.sync(() => ++made) })
    const gate = yield* Effect.makeSemaphore(1)
    const use = Effect.scoped(Effect.zipLeft(gate.withPermits(1)(RcMap.get(map, "key")), Effect.sleep(1)))
    yield* Effect.all([use, use], { concurrency: "unbounded" })
    return made > 1
  })),
  "a forEach that is disconnected": Effect.gen(function*() {
    const all = Effect.disconnect(Effect.forEach([1, 2, 3], () => Effect.yieldNow(), { concurrency: 2 }))
    const fiber = yield* Effect.forkDaemon(all)
    yield* Effect.forkDaemon(Fiber.interrupt(fiber))
    return yield* hangs(fiber.await)
  }),
  "a Queue in the place of a Mailbox": Effect.gen(function*() {
    const queue = yield* Queue.unbounded<string>()
    const taker = yield* Effect.forkDaemon(Queue.take(queue))
    yield* Effect.forkDaemon(Queue.offer(queue, "a message"))
    return yield* hangs(taker.await)
  }),
  "a stream of a Queue in the place of a Mailbox": Effect.gen(function*() {
    const queue = yield* Queue.unbounded<string>()
    const reader = yield* Effect.forkDaemon(Stream.runHead(Stream.fromQueue(queue)))
    const turns = Effect.repeatN(Effect.yieldNow(), 1)
    yield* Effect.forkDaemon(Effect.zipRight(turns, Queue.offer(queue, "a message")))
    return yield* hangs(reader.await)
  }),
  "an RcRef that keeps its resource": Effect.scoped(Effect.gen(function*() {
    let open = 0
    let most = 0
    const acquire = Effect.acquireRelease(
      Effect.sync(() => void (most = Math.max(most, ++open))),
      () => Effect.sync(() => void open--)
    )
    const ref = yield* RcRef.make({ acquire, idleTimeToLive: Duration.infinity })
    const use = Effect.scoped(RcRef.get(ref))
    yield* Effect.all([use, use], { concurrency: "unbounded" })
    return most > 1
  })),
  "a cached request that cannot be interrupted": Effect.gen(function*() {
    const cache = yield* Request.makeCache({ capacity: 10, timeToLive: "1 minute" })
    const name = Effect.uninterruptible(Effect.request(new GetName({ id: 1 }), names)).pipe(
      Effect.withRequestCaching(true),
      Effect.withRequestCache(cache)
    )
    const first = yield* Effect.forkDaemon(name)
    yield* (yield* Effect.forkDaemon(Fiber.interrupt(first))).await
    return yield* hangs(name)
  }),
  "a ScopedCache with room for all keys": Effect.scoped(Effect.gen(function*() {
    const open = (it: { open: boolean }) =>
      Effect.acquireRelease(Effect.succeed(it), () => Effect.sync(() => void (it.open = false)))
    const cache = yield* ScopedCache.make({
      lookup: (_: string) => open({ open: true }),
      capacity: 10,
      timeToLive: "1 hour"
    })
    const use = (key: string) =>
      Effect.scoped(
        Effect.flatMap(cache.get(key), (it) => Effect.as(Effect.yieldNow(), it).pipe(Effect.map((it) => it.open)))
      )
    const held = yield* Effect.all([use("a"), use("b"), use("a")], { concurrency: "unbounded" })
    return held.includes(false)
  }))
}

describe.sequential("no yield breaks", { timeout: 240_000 }, () => {
  for (const [name, program] of Object.entries(programs)) {
    it(name, async () => {
      expect(await places(program, 900)).toEqual([])
    })
  }
})
