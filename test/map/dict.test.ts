import { describe, expect, it } from "@effect/vitest"
import { Ctx } from "aiocontext"
import { Effect } from "effect"

describe("the ready-made dict", () => {
  it.effect("clear empties it", () =>
    Effect.gen(function*() {
      yield* Ctx.set("b", 1)
      yield* Ctx.clear
      expect(yield* Ctx.size).toBe(0)
    }).pipe(Ctx.provide({ a: 1 })))
})
