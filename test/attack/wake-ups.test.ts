import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import {
  Deferred,
  Effect,
  Mailbox,
  Pool,
  PubSub,
  Queue,
  RateLimiter,
  Runtime,
  type Scope,
  STM,
  Stream,
  SynchronizedRef,
  TRef
} from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

// No foreign context, whoever wakes the fiber

class Request extends Context.Tag("attack/wake-ups/Request")<Request>() {}
const request = compat.make(Request)
const storage = new AsyncLocalStorage<number>()

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const requests = 12

/** What one request does. It calls `look` wherever it has just been woken. */
type Handler = (id: number, look: Effect.Effect<void>) => Effect.Effect<unknown>

const cases: Record<string, Effect.Effect<Handler, never, Scope.Scope>> = {
  "a Deferred": Effect.map(Deferred.make<void>(), (deferred) => (id, look) =>
    id === 0
      ? Effect.zipRight(Effect.sleep(10), Deferred.succeed(deferred, undefined))
      : Effect.zipRight(Deferred.await(deferred), look)),
  "a Queue": Effect.map(Queue.bounded<number>(2), (queue) => (id, look) =>
    id % 2 === 0
      ? Effect.zipRight(queue.take, look)
      : Effect.zipRight(Effect.sleep(id), queue.offer(id))),
  "a Semaphore": Effect.map(
    Effect.makeSemaphore(1),
    (semaphore) => (_, look) => semaphore.withPermits(1)(Effect.all([look, Effect.sleep(1), look]))
  ),
  "a shared promise": Effect.sync(() => {
    let shared: Promise<void> | undefined
    return (_, look) => Effect.zipRight(Effect.promise(() => shared ??= sleep(10)), look)
  }),
  "a Mailbox": Effect.map(Mailbox.make<number>(2), (mailbox) => (id, look) =>
    id % 2 === 0
      ? Effect.zipRight(Effect.orDie(mailbox.take), look)
      : Effect.zipRight(Effect.sleep(id), mailbox.offer(id))),
  "a PubSub": Effect.map(PubSub.bounded<number>(1), (pubsub) => (id, look) =>
    id === 0
      ? Effect.zipRight(Effect.sleep(20), Effect.forEach([1, 2, 3], (value) => PubSub.publish(pubsub, value)))
      : Effect.scoped(Effect.flatMap(pubsub.subscribe, (queue) => Effect.all([queue.take, look, queue.take, look])))),
  STM: Effect.map(STM.commit(TRef.make(0)), (turn) => (id, look) =>
    Effect.all([
      STM.commit(STM.flatMap(TRef.get(turn), (now) => now === id ? TRef.set(turn, id + 1) : STM.retry)),
      look,
      Effect.promise(() => sleep(1)),
      look
    ])),
  "a Pool": Effect.map(
    Pool.make({ acquire: Effect.promise(() => sleep(1)), size: 2 }),
    (pool) => (_, look) => Effect.scoped(Effect.all([pool.get, look, Effect.sleep(1), look]))
  ),
  "a RateLimiter": Effect.map(
    RateLimiter.make({ limit: 4, interval: "5 millis" }),
    (limited) => (_, look) => Effect.all([limited(look), look])
  ),
  "a SynchronizedRef": Effect.map(
    SynchronizedRef.make(0),
    (ref) => (_, look) =>
      Effect.zipRight(
        SynchronizedRef.updateEffect(ref, (n) => Effect.as(Effect.zipRight(Effect.sleep(1), look), n + 1)),
        look
      )
  ),
  "a cached effect": Effect.map(
    Effect.cached(Effect.promise(() => sleep(10))),
    (cached) => (_, look) => Effect.all([cached, look, Effect.yieldNow(), look])
  ),
  "another request's callback, twice": Effect.sync(() => {
    const waiting: Array<() => void> = []
    return (id, look) =>
      id === 0
        ? Effect.zipRight(Effect.sleep(10), Effect.sync(() => waiting.splice(0).forEach((wake) => wake())))
        : Effect.zipRight(
          Effect.async<void>((resume) => {
            waiting.push(() => resume(Effect.void), () => resume(Effect.void))
          }),
          look
        )
  }),
  "a Stream's workers": Effect.succeed((_, look) =>
    Stream.range(1, 5).pipe(
      Stream.mapEffect(() => Effect.zipRight(Effect.sleep(1), look), { concurrency: 2 }),
      Stream.buffer({ capacity: 1 }),
      Stream.tap(() => look),
      Stream.runDrain,
      Effect.zipRight(look)
    )
  )
}

describe("a fiber runs on in its own context when it is woken by", () => {
  for (const [name, prepare] of Object.entries(cases)) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const handler = yield* prepare
        const runtime = yield* Effect.runtime<never>()
        const seen: Array<readonly [number, number | undefined, unknown]> = []
        const handle = (id: number) => {
          const look = Effect.sync(() => void seen.push([id, storage.getStore(), request.get("id")]))
          return handler(id, look).pipe(Effect.zipRight(look), Request.provide({ id }))
        }
        const all = Array.from({ length: requests }, (_, id) =>
          storage.run(id, () => Runtime.runPromise(runtime)(handle(id))))
        yield* Effect.promise(() =>
          Promise.all(all)
        )
        expect(seen.length).toBeGreaterThan(requests)
        expect(seen.filter(([id, stored, own]) => stored !== id || own !== id)).toEqual([])
      }).pipe(Effect.provide(compat.layer)))
  }
})
