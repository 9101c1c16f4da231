import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect, HashMap } from "effect"
import { inChild, plain } from "../support.js"

class Own extends Context.Tag("test/fork/function/Own")<Own>({ fork: HashMap.filter((_, key) => key !== "secret") }) {}

describe("a function of the parent's map", () => {
  it.effect("makes the child's, from the seed too", () =>
    Effect.gen(function*() {
      expect(plain(yield* inChild(Own.data))).toEqual({ shown: 1 })
      yield* Own.set("other", 1)
      expect(plain(yield* inChild(Own.data))).toEqual({ shown: 1, other: 1 })
      expect(yield* Own.get("secret")).toBe(1)
    }).pipe(Effect.provide(Own.layer({ secret: 1, shown: 1 }))))
})
