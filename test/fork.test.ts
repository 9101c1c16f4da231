import { describe, expect, it } from "@effect/vitest"
import { Context, Ctx } from "aiocontext"
import type { Scope } from "effect"
import {
  Context as Service,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberMap,
  FiberSet,
  Layer,
  Option,
  Runtime,
  Schedule,
  Stream
} from "effect"
import { plain } from "./support.js"

class Isolated extends Context.Tag("test/fork/Isolated")<Isolated>() {}
class Merged extends Context.Tag("test/fork/Merged")<Merged>({ join: "merge" }) {}

/** Reads the parent's entry, then writes over it. */
const child = (tag: typeof Isolated) =>
  Effect.gen(function*() {
    const seen = yield* tag.get("key")
    yield* Effect.yieldNow()
    yield* tag.set("key", "child's")
    yield* tag.set("more", true)
    return seen
  })

/** Every way to start a child, as an effect that gives what the child saw. */
const ways: Record<string, (self: Effect.Effect<unknown, never, Isolated>) => Effect.Effect<unknown, any, any>> = {
  "Effect.fork": (self) => Effect.flatMap(Effect.fork(self), Fiber.join),
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
  "Effect.schedule in a fiber": (self) =>
    Effect.flatMap(
      Effect.fork(Effect.schedule(self, Schedule.recurs(1))),
      (fiber) => Effect.as(Fiber.join(fiber), "parent's")
    )
}

describe("a child starts with its parent's map and cannot change its parent's", () => {
  for (const [name, start] of Object.entries(ways)) {
    it.live(name, () =>
      Effect.gen(function*() {
        yield* Isolated.set("key", "parent's")
        expect(yield* start(child(Isolated)) as Effect.Effect<unknown, never, Isolated | Scope.Scope>).toBe("parent's")
        expect(plain(yield* Isolated.data)).toEqual({ key: "parent's" })
      }).pipe(Isolated.provide({}), Effect.scoped))
  }

  it.effect("Effect.race: the loser's writes are gone too", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const loser = Isolated.set("key", "loser's").pipe(
        Effect.andThen(Deferred.succeed(started, undefined)),
        Effect.andThen(Effect.never)
      )
      yield* Effect.race(Deferred.await(started), loser)
      expect(yield* Isolated.has("key")).toBe(false)
    }).pipe(Isolated.provide({})))

  it.effect("a parent's later write does not reach its child", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.zipRight(Deferred.await(written), Isolated.get("key")))
      yield* Effect.yieldNow()
      yield* Isolated.set("key", "late")
      yield* Deferred.succeed(written, undefined)
      expect(yield* Fiber.join(fiber)).toBe(undefined)
    }).pipe(Isolated.provide({})))
})

describe("join: \"merge\"", () => {
  it.effect("what two children wrote under different keys both lands", () =>
    Effect.gen(function*() {
      yield* Merged.set("mine", 0)
      yield* Effect.all([Merged.set("a", 1), Merged.set("b", 2)], { concurrency: "unbounded" })
      expect(plain(yield* Merged.data)).toEqual({ mine: 0, a: 1, b: 2 })
    }).pipe(Merged.provide({})))

  it.effect("what the parent wrote meanwhile stays, and a child's delete lands", () =>
    Effect.gen(function*() {
      yield* Merged.set("doomed", 0)
      const fiber = yield* Effect.fork(Merged.delete("doomed").pipe(Effect.andThen(Merged.set("a", 1))))
      yield* Effect.yieldNow()
      yield* Merged.set("b", 2)
      yield* Fiber.join(fiber)
      expect(plain(yield* Merged.data)).toEqual({ a: 1, b: 2 })
    }).pipe(Merged.provide({})))

  it.effect("a key that the child left alone keeps what the parent made of it", () =>
    Effect.gen(function*() {
      yield* Merged.set("a", "before")
      const fiber = yield* Effect.fork(Merged.set("b", 1))
      yield* Merged.set("a", "after")
      yield* Fiber.join(fiber)
      expect(plain(yield* Merged.data)).toEqual({ a: "after", b: 1 })
    }).pipe(Merged.provide({})))

  it.effect("a grandchild's writes arrive through its parent's join", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(
        Effect.fork(Effect.flatMap(Effect.fork(Merged.set("deep", 1)), Fiber.join)),
        Fiber.join
      )
      expect(plain(yield* Merged.data)).toEqual({ deep: 1 })
    }).pipe(Merged.provide({})))

  it.effect("the winner of a race is joined, the loser is not", () =>
    Effect.gen(function*() {
      yield* Effect.race(
        Merged.set("winner", 1),
        Merged.set("loser", 1).pipe(Effect.andThen(Effect.never))
      )
      expect(plain(yield* Merged.data)).toEqual({ winner: 1 })
    }).pipe(Merged.provide({})))

  it.effect("a child that fails, or that nobody joins, changes nothing", () =>
    Effect.gen(function*() {
      const failing = yield* Effect.fork(Merged.set("a", 1).pipe(Effect.andThen(Effect.fail("no"))))
      expect(yield* Effect.exit(Fiber.join(failing))).toEqual(Exit.fail("no"))
      yield* Fiber.await(yield* Effect.fork(Merged.set("b", 1)))
      expect(plain(yield* Merged.data)).toEqual({})
    }).pipe(Merged.provide({})))
})

class Other extends Service.Tag("test/fork/Other")<Other, number>() {}

describe("one fiber is one task", () => {
  const sequential: Record<string, (self: Effect.Effect<void, never, Ctx>) => Effect.Effect<unknown, unknown, Ctx>> = {
    "yield*": (self) => self,
    "sequential Effect.all": (self) => Effect.all([self, Effect.void]),
    "Effect.forEach": (self) => Effect.forEach([1, 2], () => self),
    "Effect.timed": Effect.timed,
    "Effect.ensuring": (self) => Effect.ensuring(Effect.void, self),
    "Effect.uninterruptible": Effect.uninterruptible,
    "Effect.scoped": Effect.scoped,
    "a scope with a finalizer": (self) => Effect.scoped(Effect.zipRight(Effect.addFinalizer(() => Effect.void), self)),
    "a scope's finalizer": (self) =>
      Effect.scoped(
        Effect.flatMap(Effect.context<Ctx>(), (context) => Effect.addFinalizer(() => Effect.provide(self, context)))
      ),
    "Effect.exit": Effect.exit,
    "Effect.either": Effect.either,
    "Effect.tap": (self) => Effect.tap(Effect.void, () => self),
    "Effect.provideService": (self) => Effect.provideService(self, Other, 1),
    "Effect.provide of a layer": (self) => Effect.provide(self, Layer.succeed(Other, 1)),
    "Effect.annotateLogs": (self) => Effect.annotateLogs(self, "a", 1),
    "Effect.withSpan": (self) => Effect.withSpan(self, "a"),
    "a failure that is caught": (self) => Effect.ignore(Effect.andThen(self, Effect.fail("no"))),
    "Effect.acquireUseRelease": (self) => Effect.acquireUseRelease(Effect.void, () => self, () => Effect.void),
    "a release": (self) => Effect.acquireUseRelease(Effect.void, () => Effect.void, () => self)
  }
  for (const [name, within] of Object.entries(sequential)) {
    it.effect(`what ${name} sets is seen after it`, () =>
      Effect.gen(function*() {
        yield* within(Ctx.set("key", name))
        expect(yield* Ctx.get("key")).toBe(name)
      }).pipe(Ctx.provide({})))
  }
})

describe("a memoized effect", () => {
  it.effect("keeps its writes in the fiber that ran it", () =>
    Effect.gen(function*() {
      const cached = yield* Effect.cached(Effect.zipRight(Isolated.set("user", "first"), Effect.succeed(1)))
      const request = Effect.zipRight(cached, Isolated.get("user"))
      const seen = yield* Effect.forEach(["first", "second"], () => Effect.flatMap(Effect.fork(request), Fiber.join))
      expect(seen).toEqual(["first", undefined])
    }).pipe(Isolated.provide({})))
})
