import { describe, expect, it } from "@effect/vitest"
import { Context, Ctx } from "aiocontext"
import { Context as Service, Effect, Layer } from "effect"
import { inChild } from "../support.js"

class Other extends Service.Tag("test/fork/one-fiber/Other")<Other, number>() {}

class Isolated extends Context.Tag("test/fork/one-fiber/Isolated")<Isolated>() {}

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
      const seen = yield* Effect.all([inChild(request), inChild(request)])
      expect(seen).toEqual(["first", undefined])
    }).pipe(Isolated.provide({})))
})
