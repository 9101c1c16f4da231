import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber } from "effect"

class Chained extends Context.Tag("test/fork-equality/Chained")<Chained>({ fork: Context.chain }) {}
class Copied extends Context.Tag("test/fork-equality/Copied")<Copied, { readonly at: Date }>({
  fork: Context.deepCopy
}) {}

describe("a fork whose map equals the parent's", () => {
  it.live("has a layer of its own under chain, though both are empty", () =>
    Effect.gen(function*() {
      const isSet = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.gen(function*() {
        yield* Deferred.await(isSet)
        yield* Chained.set("mine", 1)
        return yield* Chained.get("parent")
      }))
      yield* Chained.set("parent", 2)
      yield* Deferred.succeed(isSet, undefined)
      expect(yield* Fiber.join(child)).toBe(2)
      expect(yield* Chained.has("mine")).toBe(false)
    }).pipe(Chained.provide({})))

  it.live("does not write into the parent's empty map under chain", () =>
    Effect.gen(function*() {
      yield* Fiber.join(yield* Effect.fork(Chained.set("mine", 1)))
      const sibling = yield* Effect.fork(Chained.get("mine"))
      expect(yield* Fiber.join(sibling)).toBe(undefined)
    }).pipe(Chained.provide({})))

  it.effect("has a Date of its own under deepCopy", () =>
    Effect.gen(function*() {
      const at = yield* Copied.get("at")
      const child = yield* Effect.fork(Copied.get("at"))
      const copy = yield* Fiber.join(child)
      expect(copy).toEqual(at)
      expect(copy).not.toBe(at)
    }).pipe(Copied.provide({ at: new Date(0) })))
})
