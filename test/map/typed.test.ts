import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect, Equal, HashMap, Option } from "effect"

describe("a typed map", () => {
  class Shaped extends Context.Tag("test/map/typed/Shaped")<Shaped, {
    readonly id: string
    readonly user?: string
    readonly visits?: number
  }>({ required: ["id"] }) {}

  const within = Shaped.provide({ id: "a", user: "ann" })

  it.effect("update gives what get gives", () =>
    Effect.gen(function*() {
      const seen: Array<number | undefined> = []
      const visit = Shaped.update("visits", (visits) => {
        seen.push(visits)
        return (visits ?? 0) + 1
      })
      yield* Effect.zipRight(visit, visit)
      expect(seen).toEqual([undefined, 1])
      expect(yield* Shaped.get("visits")).toBe(2)
    }).pipe(within))

  it.effect("keys, entries, size and data show the map", () =>
    Effect.gen(function*() {
      expect([...yield* Shaped.keys].toSorted()).toEqual(["id", "user"])
      expect([...yield* Shaped.entries].toSorted()).toEqual([["id", "a"], ["user", "ann"]])
      expect(yield* Shaped.size).toBe(2)
      const data = yield* Shaped.data
      yield* Shaped.set("user", "bob")
      expect(Equal.equals(data, HashMap.make(["id", "a"], ["user", "ann"]))).toBe(true)
    }).pipe(within))

  it.effect("clear leaves the required keys", () =>
    Effect.gen(function*() {
      yield* Shaped.clear
      expect(yield* Shaped.keys).toEqual(["id"])
    }).pipe(within))

  it.effect("clear leaves what the map was attached with where the required keys are not known", () =>
    Effect.gen(function*() {
      class Unlisted
        extends Context.Tag("test/map/typed/Unlisted")<Unlisted, { readonly id: string; readonly user?: string }>()
      {}
      yield* Effect.gen(function*() {
        yield* Unlisted.set("user", "ann")
        yield* Unlisted.clear
        expect(yield* Unlisted.keys).toEqual(["id"])
      }).pipe(Unlisted.provide({ id: "a" }))
    }))

  it.effect("peek needs no context", () =>
    Effect.gen(function*() {
      expect(yield* Shaped.peek("user")).toEqual(Option.none())
      expect(yield* within(Shaped.peek("user"))).toEqual(Option.some("ann"))
    }))

  it.effect("getOrFail names the context and the key", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Shaped.getOrFail("visits"))
      expect(error).toMatchObject({ _tag: "KeyNotFoundError", context: Shaped.key, key: "visits" })
    }).pipe(within))
})
