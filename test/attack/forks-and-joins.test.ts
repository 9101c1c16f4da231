import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber, Option } from "effect"
import { often } from "../support.js"

// Forks, joins and the strategies of both

class Merged extends Context.Tag("attack/forks/Merged")<Merged>({ join: "merge" }) {}
class Copied extends Context.Tag("attack/forks/Copied")<Copied>({ fork: Context.deepCopy }) {}
class Chained extends Context.Tag("attack/forks/Chained")<Chained>({ fork: Context.chain }) {}

const inChild = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(Effect.fork(effect), Fiber.join)

describe("maps that are equal are still two maps", () => {
  it.effect("deepCopy gives a child its own dates", () =>
    Effect.gen(function*() {
      yield* inChild(Effect.map(Copied.get("date"), (date) => (date as Date).setTime(1)))
      expect((yield* Copied.get("date")) as Date).toEqual(new Date(0))
    }).pipe(Copied.provide({ date: new Date(0) })))

  it.effect("merge brings an equal value that is another object", () =>
    Effect.gen(function*() {
      const other = Option.some(1)
      yield* inChild(Merged.set("value", other))
      expect((yield* Merged.get("value")) === other).toBe(true)
    }).pipe(Merged.provide({ value: Option.some(1) })))

  it.effect("a chained child of a parent with an empty layer of its own reads what the parent sets later", () =>
    Effect.gen(function*() {
      const [mine, theirs] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      yield* Effect.yieldNow()
      const child = yield* Effect.fork(
        Effect.yieldNow().pipe(
          Effect.zipRight(Chained.set("mine", 1)),
          Effect.zipRight(Deferred.succeed(mine, undefined)),
          Effect.zipRight(Deferred.await(theirs)),
          Effect.zipRight(Chained.get("theirs"))
        )
      )
      yield* Deferred.await(mine)
      yield* Chained.set("theirs", 2)
      yield* Deferred.succeed(theirs, undefined)
      expect(yield* Fiber.join(child)).toBe(2)
      expect(yield* Chained.has("mine")).toBe(false)
    }).pipe(Chained.provide({})))
})

describe("a line of chained tasks", () => {
  const generations = often(1000, 10)
  it.effect("reads through a thousand generations what the first one has now, and writes to none of them", () =>
    Effect.gen(function*() {
      const generation = (left: number): Effect.Effect<ReadonlyArray<unknown>, never, Chained> =>
        left === 0
          ? Effect.zipRight(Effect.yieldNow(), Effect.all([Chained.get("first"), Chained.get("last"), Chained.size]))
          : Chained.set("last", left).pipe(
            Effect.zipRight(Effect.forkDaemon(generation(left - 1))),
            Effect.flatMap(Fiber.join)
          )
      const line = yield* Effect.fork(generation(generations))
      yield* Chained.set("first", "now")
      expect(yield* Fiber.join(line)).toEqual(["now", 1, 2])
      expect(yield* Chained.has("last")).toBe(false)
    }).pipe(Chained.provide({ first: "then" })))
})
