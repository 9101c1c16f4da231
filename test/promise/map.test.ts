import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context } from "aiocontext"
import { plain, withResolvers } from "../support.js"
import { everywhere, Request, request } from "./everywhere.js"

const often = <A>(read: () => A): A => {
  for (let i = 0; i < 20; i++) {
    read()
  }
  return read()
}

const user = () => request.get("user")

describe("the map", () => {
  everywhere("is the same in both worlds", async () => {
    request.set("user", "ann")
    expect(plain(await request.runPromise(Request.data))).toEqual(request.toObject())
    expect(compat.make(Request).get("user")).toBe("ann")
  })
})

describe("a key that was read many times", () => {
  it("reads as it was set last", () => {
    request.run({ id: "r", user: "a" }, () => {
      expect(often(user)).toBe("a")
      request.set("user", "b")
      expect(user()).toBe("b")
      expect(often(user)).toBe("b")
      request.delete("user")
      expect(often(user)).toBeUndefined()
      expect(often(() => request.get("user", "none"))).toBe("none")
    })
  })

  it.each(["__proto__", "constructor", "toString", "0"])("may be named %s", (key) => {
    context.run({}, () => {
      const read = () => [context.get(key, "none"), context.peek(key), context.has(key), context.toObject()]
      expect(often(read)).toEqual(["none", undefined, false, {}])
      context.set(key, 1)
      expect(often(() => context.get(key))).toBe(1)
      expect(read()).toEqual([1, 1, true, { [key]: 1 }])
      context.set(key, undefined)
      expect(often(read)).toEqual([undefined, undefined, true, { [key]: undefined }])
      context.run({ [key]: 2 }, () => expect(context.get(key)).toBe(2))
      expect(context.delete(key)).toBe(true)
      expect(often(read)).toEqual(["none", undefined, false, {}])
    })
  })

  it("reads as each task has it", async () => {
    await request.run({ id: "r", user: "outer" }, async () => {
      expect(often(user)).toBe("outer")
      await compat.fork(async () => {
        expect(often(user)).toBe("outer")
        request.set("user", "child")
        await Promise.resolve()
        expect(often(user)).toBe("child")
      })
      request.run({ id: "inner" }, () => expect(often(user)).toBeUndefined())
      expect(often(user)).toBe("outer")
    })
  })

  it("is as it was set last in all that the task is asked for", async () => {
    await request.run({ id: "r", user: "a" }, async () => {
      const set = (user: string) => {
        request.set("user", "before")
        request.set("user", user)
      }
      set("b")
      expect([request.size, request.has("user"), request.toObject()]).toEqual([2, true, { id: "r", user: "b" }])
      set("c")
      expect(await compat.fork(() => request.get("user"))).toBe("c")
      set("d")
      expect(await request.runPromise(Request.get("user"))).toBe("d")
      set("e")
      const snapshot = compat.snapshot()
      await Promise.resolve()
      expect([snapshot(user), request.getOrThrow("user")]).toEqual(["e", "e"])
      set("f")
      expect([request.delete("user"), user(), request.size]).toEqual([true, undefined, 1])
      set("g")
      request.clear()
      expect(request.toObject()).toEqual({ id: "r", user: "g" })
      set("h")
      request.run({ id: "inner" }, () => expect(user()).toBeUndefined())
      expect(user()).toBe("h")
    })
  })

  it("does not hide another context's keys", () => {
    class Other extends Context.Tag("test/promise/map/Other")<Other>() {}
    const other = compat.make(Other)
    request.run({ id: "r", user: "a" }, () =>
      other.run({ user: "b" }, () => {
        for (let i = 0; i < 20; i++) {
          expect([user(), other.get("user")]).toEqual(["a", "b"])
        }
        other.set("user", "c")
        request.set("user", "d")
        expect([user(), other.get("user"), request.get("id")]).toEqual(["d", "c", "r"])
      }))
  })

  for (const fork of ["share", "chain"] as const) {
    it(`reads another task's writes under ${fork}`, async () => {
      class Linked extends Context.Tag(`test/promise/map/${fork}`)<Linked>({ fork }) {}
      const linked = compat.make(Linked)
      await linked.run({ user: "a" }, async () => {
        const written = withResolvers()
        const child = compat.fork(async () => {
          const before = often(() => linked.get("user"))
          await written.promise
          return [before, often(() => linked.get("user"))]
        })
        linked.set("user", "b")
        written.resolve()
        expect(await child).toEqual(["a", "b"])
      })
    })
  }
})
