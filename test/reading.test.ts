import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context } from "aiocontext"
import { Effect } from "effect"

class Request extends Context.Tag("test/reading/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

const often = <A>(read: () => A): A => {
  for (let i = 0; i < 20; i++) {
    read()
  }
  return read()
}

const user = () => request.get("user")

describe("a key that was read many times", () => {
  it("reads as it was set last", () => {
    request.run({ request_id: "r", user: "a" }, () => {
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
    await request.run({ request_id: "r", user: "outer" }, async () => {
      expect(often(user)).toBe("outer")
      await compat.fork(async () => {
        expect(often(user)).toBe("outer")
        request.set("user", "child")
        await Promise.resolve()
        expect(often(user)).toBe("child")
      })
      request.run({ request_id: "inner" }, () => expect(often(user)).toBeUndefined())
      expect(often(user)).toBe("outer")
    })
  })

  it("is as it was set last in all that the task is asked for", async () => {
    await request.run({ request_id: "r", user: "a" }, async () => {
      const set = (user: string) => {
        request.set("user", "before")
        request.set("user", user)
      }
      set("b")
      expect([request.size, request.has("user"), request.toObject()]).toEqual([2, true, { request_id: "r", user: "b" }])
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
      expect(request.toObject()).toEqual({ request_id: "r", user: "g" })
      set("h")
      request.run({ request_id: "inner" }, () => expect(user()).toBeUndefined())
      expect(user()).toBe("h")
    })
  })

  it("does not hide another context's keys", () => {
    class Other extends Context.Tag("test/reading/Other")<Other>() {}
    const other = compat.make(Other)
    request.run({ request_id: "r", user: "a" }, () =>
      other.run({ user: "b" }, () => {
        for (let i = 0; i < 20; i++) {
          expect([user(), other.get("user")]).toEqual(["a", "b"])
        }
        other.set("user", "c")
        request.set("user", "d")
        expect([user(), other.get("user"), request.get("request_id")]).toEqual(["d", "c", "r"])
      }))
  })

  it.live("reads as the waiting fiber has it, and as it was once the fiber has gone on", () =>
    Effect.gen(function*() {
      const leftOver: Array<unknown> = []
      yield* Effect.promise(async () => {
        await Promise.resolve()
        expect(often(user)).toBeUndefined()
        request.set("user", "a")
        expect(often(user)).toBe("a")
        setTimeout(() => leftOver.push(often(user)), 5)
      })
      yield* Request.set("user", "b")
      yield* Effect.sleep(20)
      expect(leftOver).toEqual(["a"])
    }).pipe(Request.provide({ request_id: "r" }), Effect.provide(compat.layer)))

  for (const [name, fork] of Object.entries({ share: Context.share, chain: Context.chain })) {
    it(`reads another task's writes under ${name}`, async () => {
      class Linked extends Context.Tag(`test/reading/${name}`)<Linked>({ fork }) {}
      const linked = compat.make(Linked)
      await linked.run({ user: "a" }, async () => {
        const child = compat.fork(async () => {
          const before = often(() => linked.get("user"))
          await new Promise((resolve) => setTimeout(resolve, 1))
          return [before, often(() => linked.get("user"))]
        })
        linked.set("user", "b")
        expect(await child).toEqual(["a", "b"])
      })
    })
  }
})

describe("the entries that a task starts with", () => {
  it("are those of the call, whatever becomes of the object", () => {
    const entries = { request_id: "r", user: "a" }
    request.run(entries, () => {
      entries.user = "b"
      expect([user(), request.size]).toEqual(["a", 2])
      expect(request.toObject()).toEqual({ request_id: "r", user: "a" })
    })
  })

  it("are told from absent ones when they are undefined", () => {
    class Dict extends Context.Tag("test/reading/Dict")<Dict>() {}
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
      { request_id: "r" },
      () => request.runPromise(Request.get("request_id"))
    )
    expect(seen).toBe("r")
  })
})
