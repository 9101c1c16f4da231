import { describe, expect, it } from "@effect/vitest"
import { BridgeError } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { Effect } from "effect"

describe("misuse", () => {
  it("in a fiber outside compat.layer is a BridgeError, at once", () => {
    const outside = (f: () => unknown) => Effect.runSync(Effect.flip(Effect.try({ try: f, catch: (error) => error })))
    expect(outside(() => aiotask.get("key"))).toBeInstanceOf(BridgeError)
    expect(outside(() => aiotask.set("key", 1))).toBeInstanceOf(BridgeError)
    expect(outside(() => aiotask.clear())).toBeInstanceOf(BridgeError)
  })

  it("outside every task says which call and key", () => {
    expect(() => aiotask.set("request_id", 1)).toThrow(/^aiotask\.set\("request_id", value\): no task is running here/)
  })

  it("is refused before anything is lost", () =>
    aiotask.run(() => {
      aiotask.set("key", 1)
      expect(() => aiotask.run(undefined as never)).toThrow(/aiotask\.run takes a function or an effect/)
      expect(() => aiotask.run(() => 1, "copy" as never)).toThrow(/taskFactory, copyingTaskFactory or chainmap/)
      expect(() => aiotask.set(7 as never, 1)).toThrow(/aiotask\.set takes a key, a string/)
      expect(() => aiotask.get({} as never)).toThrow(/aiotask\.get takes a key, a string/)
      expect(aiotask.get("key")).toBe(1)
    }))

  it("is not what __proto__ and a stored undefined are", () =>
    aiotask.run(() => {
      aiotask.set("__proto__", 1)
      aiotask.set("nothing", undefined)
      expect([aiotask.get("__proto__"), aiotask.get("nothing", "fallback")]).toEqual([1, undefined])
      expect(aiotask.get("constructor")).toBeUndefined()
    }))
})
