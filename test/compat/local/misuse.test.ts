import { describe, expect, it } from "@effect/vitest"
import { BridgeError, NoTaskError } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Effect } from "effect"
import { asTask } from "../../support.js"

describe("misuse", () => {
  it("outside every task throws, whatever is done", () => {
    const mine = local<{ user: string }>()
    const uses: Array<() => unknown> = [
      () => mine.user,
      () => mine.user = "ann",
      () => "user" in mine,
      () => delete mine.user,
      () => Object.keys(mine),
      () => ({ ...mine }),
      () => JSON.stringify(mine),
      () => Object.getOwnPropertyDescriptor(mine, "user"),
      () => Object.defineProperty(mine, "user", { value: "ann", writable: true, enumerable: true, configurable: true })
    ]
    for (const use of uses) {
      expect(use).toThrow(NoTaskError)
    }
  })

  it("in a fiber outside compat.layer is a BridgeError, at once, strict or not", () => {
    for (const strict of [true, false]) {
      const mine = local<{ user: string }>({ strict })
      const seen = Effect.runSync(Effect.flip(Effect.try({ try: () => mine.user, catch: (error) => error })))
      expect(seen).toBeInstanceOf(BridgeError)
    }
  })

  it("cannot give a local another prototype, nor freeze it", () =>
    asTask(() => {
      const mine = local<{ user: string }>()
      mine.user = "ann"
      expect(() => Object.setPrototypeOf(mine, null)).toThrow(/A local has no prototype of its own/)
      expect(() => Object.freeze(mine)).toThrow(/A local cannot be frozen/)
      expect(() => Object.seal(mine)).toThrow(TypeError)
      expect(() => Object.preventExtensions(mine)).toThrow(TypeError)
      expect(mine.user).toBe("ann")
      expect([Object.isFrozen(mine), Object.isExtensible(mine)]).toEqual([false, true])
    }))

  it("cannot define getters, nor fixed properties", () =>
    asTask(() => {
      const mine = local<{ user: string }>()
      expect(() => Object.defineProperty(mine, "user", { get: () => "ann" })).toThrow(/local\["user"\] = value/)
      expect(() => Object.defineProperty(mine, "user", { value: "ann" })).toThrow(/plain values/)
      expect("user" in mine).toBe(false)
    }))

  it("of the options is told at once", () => {
    expect(() => local(null as never)).toThrow(/local takes options/)
    expect(() => local({ init: 7 as never })).toThrow(/init is a function of nothing/)
    expect(() => local({ strict: "no" as never })).toThrow(/strict is true or false/)
  })

  it("of init is told at the first use", () =>
    asTask(() => {
      expect(() => local({ init: (() => 7) as never }).valueOf()).toThrow(/init returns an object of properties/)
      expect(() => local({ init: async () => ({ n: 1 }) }).valueOf()).toThrow(/returned a promise/)
      const cyclic: { n: number } = local({ init: () => ({ n: cyclic.n + 1 }) })
      expect(() => cyclic.n).toThrow(/init uses the local/)
    }))
})
