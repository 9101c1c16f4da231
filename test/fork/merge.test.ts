import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect, Exit, Fiber, Layer, Option } from "effect"
import { inChild, plain } from "../support.js"

class Merged extends Context.Tag("test/fork/merge/Merged")<Merged>({ join: "merge" }) {}

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
      yield* inChild(inChild(Merged.set("deep", 1)))
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

  it.effect("an equal value that is another object lands", () =>
    Effect.gen(function*() {
      const other = Option.some(1)
      yield* inChild(Merged.set("value", other))
      expect(yield* Merged.get("value")).toBe(other)
    }).pipe(Merged.provide({ value: Option.some(1) })))

  it.effect("what a child wrote in a region of its own stays there", () =>
    Effect.gen(function*() {
      yield* inChild(Effect.gen(function*() {
        yield* Merged.set("a", 1)
        yield* Merged.set("a", "inner's").pipe(Merged.provide({}))
        yield* Merged.set("b", "inner's").pipe(Effect.provide(Layer.mergeAll(Merged.layer({}), Layer.empty)))
      }))
      expect(plain(yield* Merged.data)).toEqual({ a: 1 })
    }).pipe(Merged.provide({})))

  it.effect("a child that is joined in the inner region where it was forked leaves the outer map alone", () =>
    Effect.gen(function*() {
      yield* Effect.gen(function*() {
        yield* inChild(Merged.set("a", 1))
        expect(plain(yield* Merged.data)).toEqual({ a: 1 })
      }).pipe(Merged.provide({}))
      expect(plain(yield* Merged.data)).toEqual({})
    }).pipe(Merged.provide({})))

  it.effect("a child of the outer region that is joined from inside an inner one hands nothing on", () =>
    Effect.gen(function*() {
      const child = yield* Effect.fork(Merged.set("a", 1))
      yield* Effect.gen(function*() {
        yield* Fiber.join(child)
        expect(plain(yield* Merged.data)).toEqual({})
      }).pipe(Merged.provide({}))
      expect(plain(yield* Merged.data)).toEqual({})
    }).pipe(Merged.provide({})))

  it.effect("a child that was forked in an inner region hands nothing on to the outer one", () =>
    Effect.gen(function*() {
      const child = yield* Effect.fork(Merged.set("a", 1)).pipe(Merged.provide({}))
      yield* Fiber.join(child)
      expect(plain(yield* Merged.data)).toEqual({})
    }).pipe(Merged.provide({})))
})
