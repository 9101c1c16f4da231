import { describe, expect, it } from "@effect/vitest"
import { NoTaskError } from "aiocontext"
import { Effect } from "effect"
import { sleep } from "../support.js"
import { mapOperations, Request, request, taskOperations } from "./operations.js"

describe("NoTaskError", () => {
  for (const [name, operation] of Object.entries({ ...mapOperations, ...taskOperations })) {
    it(`${name}, outside every task`, () => {
      expect(operation).toThrow(NoTaskError)
    })
  }

  it.live("promise code that a fiber outside the bridge started, after its first await", () =>
    Effect.promise(async () => {
      await sleep(1)
      expect(() => request.get("id")).toThrow(NoTaskError)
    }).pipe(Request.provide({ id: "a" })))
})
