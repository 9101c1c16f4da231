import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber, FiberMap, FiberSet, Layer, Option, Runtime, Schedule, Stream } from "effect"
import type { Scope } from "effect"
import { inChild, plain } from "../support.js"

class Isolated extends Context.Tag("test/fork/ways/Isolated")<Isolated>() {}

/** Reads the parent's entry, then writes over it. */
const child = Effect.gen(function*() {
  const seen = yield* Isolated.get("key")
  yield* Effect.yieldNow()
  yield* Isolated.set("key", "child's")
  yield* Isolated.set("more", true)
  return seen
})

/** Every way to start a child, as an effect that gives what the child saw. */
const ways: Record<string, (self: Effect.Effect<unknown, never, Isolated>) => Effect.Effect<unknown, any, any>> = {
  "Effect.fork": inChild,
  "Effect.forkDaemon": (self) => Effect.flatMap(Effect.forkDaemon(self), Fiber.join),
  "Effect.forkScoped": (self) => Effect.scoped(Effect.flatMap(Effect.forkScoped(self), Fiber.join)),
  "Effect.forkIn": (self) =>
    Effect.scoped(Effect.flatMap(Effect.scope, (scope) => Effect.flatMap(Effect.forkIn(self, scope), Fiber.join))),
  "Effect.all with concurrency": (self) =>
    Effect.map(Effect.all([self, self], { concurrency: "unbounded" }), ([seen]) => seen),
  "Effect.all with a bounded concurrency": (self) =>
    Effect.map(Effect.all([self, self, self], { concurrency: 2 }), ([seen]) => seen),
  "Effect.forEach with concurrency": (self) =>
    Effect.map(Effect.forEach([1, 2], () => self, { concurrency: "unbounded" }), ([seen]) => seen),
  "Effect.race": (self) => Effect.race(self, Effect.never),
  "Effect.raceFirst": (self) => Effect.raceFirst(self, Effect.never),
  "Effect.raceAll": (self) => Effect.raceAll([self, Effect.never]),
  "Effect.timeout": (self) => Effect.timeout(self, "1 minute"),
  "Effect.zip, concurrent": (self) => Effect.map(Effect.zip(self, self, { concurrent: true }), ([seen]) => seen),
  "Stream.mapEffect, unordered": (self) =>
    Stream.make(1, 2).pipe(
      Stream.mapEffect(() => self, { concurrency: 2, unordered: true }),
      Stream.runHead,
      Effect.map(Option.getOrUndefined)
    ),
  "Stream.buffer": (self) =>
    Stream.fromEffect(self).pipe(Stream.buffer({ capacity: 2 }), Stream.runHead, Effect.map(Option.getOrUndefined)),
  "a Layer's worker": (self) =>
    Effect.gen(function*() {
      const seen = yield* Deferred.make<unknown>()
      const Worker = Layer.scopedDiscard(Effect.forkScoped(Effect.flatMap(self, (id) => Deferred.succeed(seen, id))))
      return yield* Effect.provide(Deferred.await(seen), Worker)
    }),
  "FiberSet": (self) =>
    Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make<unknown>()
      return yield* Fiber.join(yield* FiberSet.run(set, self))
    })),
  "FiberSet.runtime": (self) =>
    Effect.scoped(Effect.gen(function*() {
      const set = yield* FiberSet.make<unknown>()
      const run = yield* FiberSet.runtime(set)<Isolated>()
      return yield* Fiber.join(run(self))
    })),
  "FiberMap": (self) =>
    Effect.scoped(Effect.gen(function*() {
      const map = yield* FiberMap.make<string>()
      return yield* Fiber.join(yield* FiberMap.run(map, "a", self))
    })),
  "Runtime.runFork": (self) =>
    Effect.flatMap(Effect.runtime<Isolated>(), (runtime) => Fiber.join(Runtime.runFork(runtime)(self))),
  "Runtime.runPromise": (self) =>
    Effect.flatMap(Effect.runtime<Isolated>(), (runtime) => Effect.promise(() => Runtime.runPromise(runtime)(self))),
  "Runtime.runSync": (self) => Effect.map(Effect.runtime<Isolated>(), (runtime) => Runtime.runSync(runtime)(self)),
  "Effect.cachedWithTTL": (self) =>
    Effect.flatten(Effect.cachedWithTTL(Effect.flatMap(Effect.fork(self), Fiber.join), "1 minute")),
  "Effect.schedule, in a fiber": (self) =>
    Effect.zipLeft(inChild(self), inChild(Effect.schedule(self, Schedule.recurs(1))))
}

describe("a child starts with its parent's map and cannot change its parent's", () => {
  for (const [name, start] of Object.entries(ways)) {
    it.live(name, () =>
      Effect.gen(function*() {
        yield* Isolated.set("key", "parent's")
        expect(yield* start(child) as Effect.Effect<unknown, never, Isolated | Scope.Scope>).toBe("parent's")
        expect(plain(yield* Isolated.data)).toEqual({ key: "parent's" })
      }).pipe(Isolated.provide({}), Effect.scoped))
  }
})
