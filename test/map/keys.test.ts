import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect } from "effect"

class Dict extends Context.Tag("test/map/keys/Dict")<Dict>({ required: [] }) {}

const dict = compat.make(Dict)

const within = <A, E>(effect: Effect.Effect<A, E, Dict>) => effect.pipe(Dict.provide({}), Effect.provide(compat.layer))

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
