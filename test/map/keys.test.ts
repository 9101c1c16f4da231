import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect } from "effect"
import { inChild, plain } from "../support.js"

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

describe("what types refuse means the same in every task, or fails the same", () => {
  const untyped = dict as unknown as {
    readonly set: (key: unknown, value: unknown) => void
    readonly get: (key: unknown) => unknown
    readonly has: (key: unknown) => boolean
    readonly delete: (key: unknown) => boolean
    readonly run: (entries: unknown, f: () => unknown) => unknown
    readonly size: number
  }
  /** What code gives, or that it throws. */
  const outcome = (f: () => unknown): unknown => {
    try {
      return f()
    } catch (error) {
      return String(error)
    }
  }
  const tasks: Readonly<Record<string, (f: () => unknown) => unknown>> = {
    "context.run": (f) => dict.run({}, f),
    "context.run with entries": (f) => dict.run({ other: 1 }, f),
    "a child task": (f) => dict.run({ other: 1 }, () => compat.fork(f)),
    "a fiber": (f) => Effect.runPromise(within(Effect.sync(f))),
    "a fiber's child": (f) => Effect.runPromise(within(inChild(Effect.sync(f)))),
    "a fiber's promise code": (f) => Effect.runPromise(within(Effect.promise(async () => f())))
  }
  const outcomes = (f: () => unknown) =>
    Promise.all(Object.values(tasks).map(async (run) => JSON.stringify(await run(() => outcome(f)))))

  for (
    const [what, key] of [["a number", 1], ["a symbol", Symbol("key")], ["null", null], ["an object", {}]] as const
  ) {
    it(`${what} as a key`, async () => {
      const seen = await outcomes(() => {
        const { size } = untyped
        const set = outcome(() => untyped.set(key, "value"))
        return [
          set ?? null,
          ...[() => untyped.get(key), () => untyped.has(key), () => untyped.delete(key)].map((read) =>
            outcome(read) ?? null
          ),
          untyped.size - size
        ]
      })
      expect(new Set(seen).size).toBe(1)
    })
  }

  it("a Map as entries", async () => {
    const entries = new Map([["a", 1]])
    const reads: Readonly<Record<string, () => unknown>> = {
      run: () => untyped.run(entries, () => dict.toObject()),
      provide: () => Effect.runSync(Effect.map(Dict.data, plain).pipe(Dict.provide(entries as never))),
      layer: () => Effect.runSync(Effect.map(Dict.data, plain).pipe(Effect.provide(Dict.layer(entries as never)))),
      merge: () =>
        Effect.runSync(
          Dict.merge(entries as never).pipe(Effect.zipRight(Effect.map(Dict.data, plain)), Dict.provide({}))
        )
    }
    const isError = Object.values(reads).map((read) => {
      const seen = outcome(read)
      if (typeof seen === "string") {
        expect(seen).toContain("takes entries")
      } else {
        expect(seen).toEqual({ a: 1 })
      }
      return typeof seen === "string"
    })
    expect(new Set(isError).size).toBe(1)
  })
})
