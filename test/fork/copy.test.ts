import { describe, expect, it } from "@effect/vitest"
import { Context, ContextLayer, Ctx } from "aiocontext"
import { Deferred, Effect, Fiber, FiberRef, HashMap } from "effect"
import { inChild } from "../support.js"

class Isolated extends Context.Tag("test/fork/copy/Isolated")<Isolated>() {}

describe("copy", () => {
  it.effect("the writes of a race's loser are gone", () =>
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
      yield* Isolated.set("key", "late")
      yield* Deferred.succeed(written, undefined)
      expect(yield* Fiber.join(fiber)).toBe(undefined)
    }).pipe(Isolated.provide({})))

  it.effect("hands a child its parent's very map, whatever its size", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 512 }, (_, i) => i), (i) => Ctx.set(`key${i}`, i), { discard: true })
      const own = yield* FiberRef.get(Ctx.ref)
      expect(HashMap.size(own)).toBe(512)
      expect(yield* inChild(FiberRef.get(Ctx.ref))).toBe(own)
    }).pipe(Effect.provide(ContextLayer)))
})
