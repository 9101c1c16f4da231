import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Data, Effect, Option } from "effect"

class Dict extends Context.Tag("test/map/values/Dict")<Dict>({ required: [] }) {}

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
