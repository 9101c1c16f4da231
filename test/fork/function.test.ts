import { describe, expect, it } from "@effect/vitest"
import { Context, ForkError } from "aiocontext"
import { Effect, Exit, HashMap } from "effect"
import { inChild, plain } from "../support.js"

class Own extends Context.Tag("test/fork/function/Own")<Own>({ fork: HashMap.filter((_, key) => key !== "secret") }) {}

class Throws extends Context.Tag("test/fork/function/Throws")<Throws>({
  fork: () => {
    throw new Error("no children today")
  }
}) {}

class Wrong extends Context.Tag("test/fork/function/Wrong")<Wrong>({ fork: (() => ({})) as never }) {}

describe("a function of the parent's map", () => {
  it.effect("makes the child's, from the seed too", () =>
    Effect.gen(function*() {
      expect(plain(yield* inChild(Own.data))).toEqual({ shown: 1 })
      yield* Own.set("other", 1)
      expect(plain(yield* inChild(Own.data))).toEqual({ shown: 1, other: 1 })
      expect(yield* Own.get("secret")).toBe(1)
    }).pipe(Effect.provide(Own.layer({ secret: 1, shown: 1 }))))

  it.effect("fails the fork when it throws, or gives no map", () =>
    Effect.gen(function*() {
      for (const tag of [Throws, Wrong]) {
        const exit = yield* Effect.exit(Effect.fork(Effect.void)).pipe(tag.provide({ a: 1 }))
        const defect = Exit.isFailure(exit) && exit.cause._tag === "Die" ? exit.cause.defect : undefined
        expect(defect).toBeInstanceOf(ForkError)
        expect(String((defect as ForkError).message)).toContain(tag.key)
      }
    }))
})
