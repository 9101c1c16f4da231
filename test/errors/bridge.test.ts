import { describe, expect, it } from "@effect/vitest"
import { BridgeError } from "aiocontext"
import { Effect } from "effect"
import { thrown } from "../support.js"
import { mapOperations, Request, taskOperations } from "./operations.js"

describe("BridgeError", () => {
  for (const [name, operation] of Object.entries({ ...mapOperations, ...taskOperations })) {
    it.effect(`${name}, in a fiber outside the bridge, at once`, () =>
      Effect.map(thrown(operation), (error) => expect(error).toBeInstanceOf(BridgeError)).pipe(
        Request.provide({ id: "a" })
      ))
  }
})
