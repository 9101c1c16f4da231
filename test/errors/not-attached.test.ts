import { describe, expect, it } from "@effect/vitest"
import { context, NotAttachedError } from "aiocontext"
import { Effect } from "effect"
import { bridged, thrown } from "../support.js"
import { mapOperations, Request } from "./operations.js"

describe("NotAttachedError", () => {
  for (const [name, operation] of Object.entries(mapOperations)) {
    it.effect(`${name}, in a fiber without the context`, () =>
      Effect.map(
        thrown(operation),
        (error) => expect(error).toMatchObject({ _tag: "NotAttachedError", context: Request.key })
      )
        .pipe(bridged))
    it(`${name}, in a promise task without the context`, () => {
      expect(() => context.run({}, operation)).toThrow(NotAttachedError)
    })
  }

  it.effect("an effect of the wrong R, from JavaScript", () =>
    Effect.gen(function*() {
      for (const effect of [Request.get("id"), Request.set("id", "a"), Request.data, Request.delete("user")]) {
        const exit = yield* Effect.exit(effect as Effect.Effect<unknown>)
        expect(exit).toMatchObject({
          cause: { _tag: "Die", defect: { _tag: "NotAttachedError", context: Request.key } }
        })
      }
    }))
})
