import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bridged } from "../support.js"
import { Request, request } from "./operations.js"

describe("what never throws", () => {
  const peeks = () => [request.peek("id"), request.peek("user", "-"), request.attached]

  it("peek and attached, outside every task", () => {
    expect(peeks()).toEqual([undefined, "-", false])
  })

  it.effect("peek and attached, in a fiber outside the bridge", () =>
    Effect.map(Effect.sync(peeks), (seen) => expect(seen).toEqual([undefined, "-", false])).pipe(
      Request.provide({ id: "a" })
    ))

  it.effect("peek and attached, in a task without the context", () =>
    Effect.map(Effect.sync(peeks), (seen) => expect(seen).toEqual([undefined, "-", false])).pipe(
      bridged
    ))

  it("peek and attached, where there is a map", () => {
    expect(request.run({ id: "a" }, peeks)).toEqual(["a", "-", true])
  })
})
