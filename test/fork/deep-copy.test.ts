import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect } from "effect"
import { inChild } from "../support.js"

class Deep extends Context.Tag("test/fork/deep-copy/Deep")<Deep>({ fork: "deepCopy" }) {}

describe("deepCopy", () => {
  it.effect("gives the child values of its own", () =>
    Effect.gen(function*() {
      const list = [1]
      yield* Deep.set("list", list)
      yield* inChild(Effect.map(Deep.get("list"), (own) => (own as Array<number>).push(2)))
      expect(list).toEqual([1])
      expect(yield* Deep.get("list")).toBe(list)
    }).pipe(Deep.provide({})))

  it.effect("copies the seed of a fiber that never wrote", () =>
    Effect.gen(function*() {
      const list = yield* Deep.get("list")
      const copy = yield* inChild(Deep.get("list"))
      expect(copy).toEqual(list)
      expect(copy).not.toBe(list)
    }).pipe(Deep.provide({ list: [1] })))

  // Effect holds two dates of one time to be equal: a map that equals its parent's is still another one
  it.effect("copies a value that is equal to its copy, set or seeded", () =>
    Effect.gen(function*() {
      const [seeded, set] = [yield* Deep.get("seeded") as Effect.Effect<Date, never, Deep>, new Date(0)]
      const later = (key: string) => Effect.map(Deep.get(key), (own) => (own as Date).setFullYear(2000))
      yield* inChild(later("seeded"))
      yield* Deep.set("set", set)
      yield* inChild(Effect.zipRight(later("seeded"), later("set")))
      expect([seeded, set]).toEqual([new Date(0), new Date(0)])
      expect(yield* Deep.get("seeded")).toBe(seeded)
    }).pipe(Deep.provide({ seeded: new Date(0) })))

  it.effect("keeps what two keys share", () =>
    Effect.gen(function*() {
      const value = {}
      yield* Deep.merge({ a: value, b: value })
      const [a, b] = yield* inChild(Effect.all([Deep.get("a"), Deep.get("b")]))
      expect(a).toBe(b)
      expect(a).not.toBe(value)
    }).pipe(Deep.provide({})))
})
