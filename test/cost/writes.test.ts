import { describe, expect, it } from "@effect/vitest"
import { context, ContextLayer, Ctx } from "aiocontext"
import { Effect } from "effect"
import { sleep } from "../support.js"

describe("a write", () => {
  it.live("hashes no other entry, whatever the size of the map", () =>
    Effect.gen(function*() {
      let hashed = 0
      const counted = () => ({
        [Symbol.for("effect/Hash")]() {
          hashed++
          return 1
        },
        [Symbol.for("effect/Equal")](this: unknown, that: unknown) {
          hashed++
          return this === that
        }
      })
      yield* Effect.forEach(
        Array.from({ length: 512 }, (_, i) => i),
        (i) => Ctx.set(`key${i}`, counted()),
        { discard: true }
      )
      yield* Effect.promise(async () => {
        await sleep(1)
        context.set("key7", counted())
      })
      expect(hashed).toBe(0)
    }).pipe(Effect.provide(ContextLayer)))
})
