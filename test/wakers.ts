/**
 * Requests that wake each other, on each primitive: run for real by the core's tests, and through seeded interleavings by
 * the isolation kit's.
 */
import type { Scope } from "effect"
import { Deferred, Effect, Mailbox, Pool, PubSub, Queue, RateLimiter, STM, Stream, SynchronizedRef, TRef } from "effect"
import { sleep } from "./support.js"

/** What one request does, with what it does wherever it has just been woken. */
export type Handler = (index: number, look: Effect.Effect<void>) => Effect.Effect<unknown>

/** A handler for each primitive on which requests wake each other. */
export const wakers: Readonly<Record<string, Effect.Effect<Handler, never, Scope.Scope>>> = {
  "a Deferred": Effect.map(Deferred.make<void>(), (deferred) => (index, look) =>
    index === 0
      ? Effect.zipRight(Effect.sleep(10), Deferred.succeed(deferred, undefined))
      : Effect.zipRight(Deferred.await(deferred), look)),
  "a shared promise": Effect.sync(() => {
    let shared: Promise<void> | undefined
    return (_, look) => Effect.zipRight(Effect.promise(() => shared ??= sleep(10)), look)
  }),
  "a Semaphore": Effect.map(
    Effect.makeSemaphore(1),
    (semaphore) => (_, look) =>
      semaphore.withPermits(1)(Effect.all([look, Effect.yieldNow(), look, Effect.promise(() => sleep(1)), look]))
  ),
  "a Deferred and a Queue": Effect.map(
    Queue.unbounded<Deferred.Deferred<void>>(),
    (queue) => (index, look) =>
      index % 2 === 0
        ? Effect.gen(function*() {
          const deferred = yield* Deferred.make<void>()
          yield* Queue.offer(queue, deferred)
          yield* look
          yield* Deferred.await(deferred)
        })
        : Effect.all([
          Effect.flatMap(Queue.take(queue), (deferred) => Deferred.succeed(deferred, undefined)),
          look
        ])
  ),
  "a Mailbox": Effect.map(
    Mailbox.make<number>(2),
    (mailbox) => (index, look) =>
      index % 2 === 0 ? Effect.zipRight(Effect.orDie(mailbox.take), look) : mailbox.offer(index)
  ),
  "a PubSub": Effect.map(PubSub.bounded<number>(1), (topic) => (_, look) =>
    Effect.scoped(Effect.gen(function*() {
      const subscription = yield* topic.subscribe
      yield* Effect.forkDaemon(PubSub.publishAll(topic, [1, 2]))
      yield* Effect.all([subscription.take, look, subscription.take, look])
    }))),
  STM: Effect.map(STM.commit(TRef.make(0)), (turn) => (index, look) =>
    Effect.all([
      STM.commit(STM.flatMap(TRef.get(turn), (now) => now === index ? TRef.set(turn, index + 1) : STM.retry)),
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
    (limited) => (_, look) => limited(look)
  ),
  "a SynchronizedRef": Effect.map(
    SynchronizedRef.make(0),
    (ref) => (_, look) =>
      SynchronizedRef.updateEffect(ref, (n) => Effect.as(Effect.zipRight(Effect.sleep(1), look), n + 1))
  ),
  "a cached effect": Effect.map(
    Effect.cached(Effect.promise(() => sleep(10))),
    (cached) => (_, look) => Effect.all([cached, look, Effect.yieldNow(), look])
  ),
  "another request's callback": Effect.sync(() => {
    const waiting: Array<() => void> = []
    return (_, look) =>
      Effect.zipRight(
        Effect.async<void>((resume) => {
          waiting.push(() => resume(Effect.void), () => resume(Effect.void))
          setTimeout(() => waiting.splice(0).forEach((wake) => wake()), 5)
        }),
        look
      )
  }),
  "a Stream's workers": Effect.succeed((_, look) =>
    Stream.range(1, 3).pipe(
      Stream.mapEffect(() => Effect.zipRight(Effect.sleep(1), look), { concurrency: 2 }),
      Stream.buffer({ capacity: 1 }),
      Stream.tap(() => look),
      Stream.runDrain
    )
  )
}
