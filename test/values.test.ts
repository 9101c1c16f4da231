import { describe, expect, it } from "@effect/vitest"
import { compat, Context, Ctx } from "aiocontext"
import { Data, Effect, Equal, HashMap, Option } from "effect"

class Dict extends Context.Tag("test/values/Dict")<Dict>({ required: [] }) {}
const dict = compat.make(Dict)

const within = <A, E>(effect: Effect.Effect<A, E, Dict>) => effect.pipe(Dict.provide({}), Effect.provide(compat.layer))

describe("values like any other, present once set", () => {
  for (const value of [undefined, null, NaN, 0, false, ""]) {
    it.effect(String(value) || "the empty string", () =>
      within(Effect.gen(function*() {
        yield* Dict.set("key", value)
        expect(yield* Dict.get("key")).toBe(value)
        expect(yield* Dict.get("key", "fallback")).toBe(value)
        expect(yield* Dict.getOption("key")).toEqual(Option.some(value))
        expect(yield* Dict.getOrFail("key")).toBe(value)
        expect(yield* Dict.peek("key")).toEqual(Option.some(value))
        expect(yield* Dict.has("key")).toBe(true)
        expect(yield* Dict.size).toBe(1)
        expect(dict.get("key", "fallback")).toBe(value)
        expect(dict.getOrThrow("key")).toBe(value)
        expect(dict.peek("key", "fallback")).toBe(value)
        expect(dict.has("key")).toBe(true)
        expect(dict.toObject()).toEqual({ key: value })
        expect(yield* Dict.delete("key")).toBe(true)
        expect(yield* Dict.has("key")).toBe(false)
      })))
  }

  it.effect("an equal value of another identity replaces the old one", () =>
    within(Effect.gen(function*() {
      const [first, second] = [Data.struct({ a: 1 }), Data.struct({ a: 1 })]
      yield* Dict.set("key", first)
      yield* Dict.set("key", second)
      expect(yield* Dict.get("key")).toBe(second)
      dict.set("key", first)
      expect(yield* Dict.get("key")).toBe(first)
      yield* Dict.merge({ key: second })
      expect(yield* Dict.get("key")).toBe(second)
    })))
})

describe("keys like any other", () => {
  const keys = ["__proto__", "constructor", "toString", "hasOwnProperty", ""]
  const literal: Record<string, unknown> = JSON.parse(
    `{ "__proto__": 1, "constructor": 2, "toString": 3, "hasOwnProperty": 4, "": 5 }`
  )
  for (const key of keys) {
    it.effect(key || "the empty string", () =>
      within(Effect.gen(function*() {
        expect(yield* Dict.has(key)).toBe(false)
        expect(yield* Dict.get(key)).toBe(undefined)
        expect(dict.has(key)).toBe(false)
        yield* Dict.set(key, "value")
        expect(yield* Dict.get(key)).toBe("value")
        expect(Object.entries(dict.toObject())).toEqual([[key, "value"]])
        expect(dict.delete(key)).toBe(true)
        expect(yield* Dict.keys).toEqual([])
      })))
  }

  it.effect("in merge, provide, locally, run and toObject", () =>
    within(Effect.gen(function*() {
      yield* Dict.merge(literal)
      expect([...yield* Dict.keys].toSorted()).toEqual([...keys].toSorted())
      expect(Object.fromEntries(Object.entries(dict.toObject()))).toEqual(literal)
      expect(Object.getPrototypeOf(dict.toObject())).toBe(Object.prototype)
      expect(yield* Dict.size.pipe(Dict.provide(literal))).toBe(5)
      expect(dict.run(literal, () => [...dict.keys()].toSorted())).toEqual([...keys].toSorted())
      yield* Dict.clear
      yield* Dict.locally(literal)(Effect.map(Dict.size, (size) => expect(size).toBe(5)))
      expect(yield* Dict.size).toBe(0)
    })))
})

describe("the members of a tag", () => {
  class Shaped extends Context.Tag("test/values/Shaped")<Shaped, {
    readonly id: string
    readonly user?: string
    readonly visits?: number
  }>({ required: ["id"] }) {}
  const within = Shaped.provide({ id: "a", user: "ann" })

  it.effect("update gets what was there", () =>
    Effect.gen(function*() {
      yield* Shaped.update("visits", Option.match({ onNone: () => 1, onSome: (n) => n + 1 }))
      yield* Shaped.update("visits", Option.match({ onNone: () => 1, onSome: (n) => n + 1 }))
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
        extends Context.Tag("test/values/Unlisted")<Unlisted, { readonly id: string; readonly user?: string }>()
      {}
      yield* Effect.gen(function*() {
        yield* Unlisted.set("user", "ann")
        yield* Unlisted.clear
        expect(yield* Unlisted.keys).toEqual(["id"])
      }).pipe(Unlisted.provide({ id: "a" }))
    }))

  it.effect("clear empties the ready-made dict", () =>
    Effect.gen(function*() {
      yield* Ctx.set("b", 1)
      yield* Ctx.clear
      expect(yield* Ctx.size).toBe(0)
    }).pipe(Ctx.provide({ a: 1 })))

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

  it.effect("a snapshot keeps the map, and its runs leave nothing", () =>
    Effect.gen(function*() {
      const snapshot = yield* Shaped.snapshot
      yield* Shaped.set("user", "bob")
      expect(yield* snapshot.run(Effect.zipLeft(Shaped.get("user"), Shaped.set("user", "eve")))).toBe("ann")
      expect(yield* snapshot.run(Shaped.get("user"))).toBe("ann")
      expect(yield* Shaped.get("user")).toBe("bob")
    }).pipe(within))
})
