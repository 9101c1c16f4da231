import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context } from "aiocontext"
import { Effect } from "effect"
import { bridged, sleep } from "../support.js"
import { everywhere, Request, request } from "./everywhere.js"

const user = () => request.get("user")

describe("context.run", () => {
  it("gives what the code gives, and throws what it throws", async () => {
    expect(request.run({ id: "a" }, () => request.get("id"))).toBe("a")
    expect(await request.run({ id: "a" }, async () => request.get("id"))).toBe("a")
    expect(() =>
      request.run({ id: "a" }, () => {
        throw new RangeError("own")
      })
    ).toThrow(RangeError)
    expect(request.attached).toBe(false)
  })

  everywhere("starts a new task: the outer map stays as it was", async () => {
    await request.run({ id: "inner", user: "ann" }, async () => {
      await sleep(1)
      request.set("user", "bob")
      expect(request.toObject()).toEqual({ id: "inner", user: "bob" })
    })
    expect(request.toObject()).toEqual({ id: "a" })
  })

  everywhere("keeps the other contexts of the task", () =>
    context.run({ other: 1 }, async () => {
      await sleep(1)
      expect([request.get("id"), context.get("other")]).toEqual(["a", 1])
    }))

  it.effect("works in a fiber outside the bridge, for the task that it starts", () =>
    Effect.promise(() =>
      request.run({ id: "own" }, async () => {
        expect(request.get("id")).toBe("own")
        await sleep(1)
        expect(request.get("id")).toBe("own")
      })
    ))

  it.live("in a fiber's own lines", () =>
    Effect.gen(function*() {
      expect(request.run({ id: "inner" }, () => request.get("id"))).toBe("inner")
      expect(request.get("id")).toBe("a")
      expect(yield* Request.get("id")).toBe("a")
    }).pipe(Request.provide({ id: "a" }), bridged))
})

describe("the entries that a task starts with", () => {
  it("are those of the call, whatever becomes of the object", () => {
    const entries = { id: "r", user: "a" }
    request.run(entries, () => {
      entries.user = "b"
      expect([user(), request.size]).toEqual(["a", 2])
      expect(request.toObject()).toEqual({ id: "r", user: "a" })
    })
  })

  it("are told from absent ones when they are undefined", () => {
    class Dict extends Context.Tag("test/promise/run/Dict")<Dict>() {}
    const dict = compat.make(Dict)
    dict.run({ here: undefined }, () => {
      expect(dict.get("here", "fallback")).toBeUndefined()
      expect(dict.get("gone", "fallback")).toBe("fallback")
      expect(dict.peek("gone", "fallback")).toBe("fallback")
    })
    expect(dict.peek("here", "outside")).toBe("outside")
  })

  it("reach an effect that the task runs", async () => {
    const seen = await request.run(
      { id: "r" },
      () => request.runPromise(Request.get("id"))
    )
    expect(seen).toBe("r")
  })
})
