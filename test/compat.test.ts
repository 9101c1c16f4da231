import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context, ContextLayer, Ctx } from "aiocontext"
import { Cause, Context as Service, Effect, Exit, Fiber, FiberRef, HashMap } from "effect"
import { EventEmitter } from "node:events"
import { plain, sleep } from "./support.js"

class Request extends Context.Tag("test/compat/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

/** The same in a promise task and in the promise code of a fiber. */
const everywhere = (name: string, f: () => Promise<void>) => {
  it(`${name}, in a promise task`, () => request.run({ id: "a" }, f))
  it.live(`${name}, in a fiber's promise code`, () =>
    Effect.promise(f).pipe(Request.provide({ id: "a" }), Effect.provide(compat.layer)))
}

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
    }).pipe(Request.provide({ id: "a" }), Effect.provide(compat.layer)))
})

describe("child tasks", () => {
  everywhere("start with the parent's map and cannot change it", async () => {
    request.set("user", "ann")
    const seen = await compat.all([
      async () => {
        const seen = request.get("user")
        request.set("user", "first's")
        await sleep(1)
        return [seen, request.get("user")]
      },
      () => request.get("user")
    ])
    expect(seen).toEqual([["ann", "first's"], "ann"])
    expect(request.get("user")).toBe("ann")
  })
  everywhere("a parent's later write does not reach its child", async () => {
    const child = compat.fork(async () => {
      await sleep(5)
      return request.get("user")
    })
    request.set("user", "late")
    expect(await child).toBe(undefined)
  })
  everywhere("an awaited function is the same task", async () => {
    await (async () => {
      await sleep(1)
      request.set("user", "ann")
    })()
    expect(request.get("user")).toBe("ann")
  })
  everywhere("fail as their code fails", async () => {
    await expect(compat.fork(() => {
      throw new RangeError("own")
    })).rejects.toThrow(RangeError)
    await expect(compat.all([async () => 1, () => Promise.reject(new RangeError("own"))])).rejects.toThrow(RangeError)
    await expect(compat.timeout(() => Promise.reject(new RangeError("own")), "1 minute")).rejects.toThrow(RangeError)
  })
  everywhere("timeout: a task in time gives its value, a late one is aborted and rejects", async () => {
    expect(await compat.timeout(async (signal) => [signal.aborted, request.get("id")], "1 minute")).toEqual([
      false,
      "a"
    ])
    let aborted = false
    const late = compat.timeout((signal) => {
      signal.addEventListener("abort", () => aborted = true)
      return sleep(1000)
    }, 5)
    const error = await late.catch((error: unknown) => error)
    expect(Cause.isTimeoutException(error)).toBe(true)
    expect(String(error)).toContain("5ms")
    expect(aborted).toBe(true)
    expect(request.get("id")).toBe("a")
  })
  everywhere("timeout: a task that fails after its deadline fails unseen", async () => {
    const late = compat.timeout(async () => {
      await sleep(10)
      throw new Error("too late to matter")
    }, 1)
    await expect(late).rejects.toThrow(/took longer/)
    await sleep(20)
  })
  everywhere("timeout: an endless duration sets no timer", async () => {
    expect(await compat.timeout(async () => 1, "10000 days")).toBe(1)
    expect(await compat.timeout(async () => 1, Infinity)).toBe(1)
  })
  everywhere("fork strategies hold for them", () => {
    class Chained extends Context.Tag("test/compat/Chained")<Chained>({ fork: Context.chain }) {}
    const chained = compat.make(Chained)
    return chained.run({ a: 1 }, async () => {
      const child = compat.fork(async () => {
        chained.set("b", 2)
        await sleep(5)
        return chained.toObject()
      })
      chained.set("a", 3)
      expect(await child).toEqual({ a: 3, b: 2 })
      expect(chained.toObject()).toEqual({ a: 3 })
    })
  })
})

describe("bind and snapshot", () => {
  everywhere("run in the captured task, whoever calls", async () => {
    const emitter = new EventEmitter()
    const seen: Array<unknown> = []
    emitter.on("event", compat.bind((n: number) => seen.push([n, request.get("id")])))
    const run = compat.snapshot()
    await request.run({ id: "other" }, async () => {
      emitter.emit("event", 1)
      await sleep(1)
      emitter.emit("event", 2)
      seen.push(run(() => request.get("id")))
    })
    expect(seen).toEqual([[1, "a"], [2, "a"], "a"])
  })
  it("outside every task they still know theirs", async () => {
    const [bound, run] = request.run(
      { id: "a" },
      () => [compat.bind(() => request.get("id")), compat.snapshot()] as const
    )
    await sleep(1)
    expect(bound()).toBe("a")
    expect(run(() => request.get("id"))).toBe("a")
    expect(request.attached).toBe(false)
  })
  it("pass this, arguments and the result on", () => {
    const bound = request.run({ id: "a" }, () =>
      compat.bind(function(this: { n: number }, a: number) {
        return this.n + a
      }))
    expect(bound.call({ n: 1 }, 2)).toBe(3)
  })
  it.live("of a step that the fiber has left are left-over code", () =>
    Effect.gen(function*() {
      const set = yield* Effect.sync(() => compat.bind((user: string) => request.set("user", user)))
      yield* Request.set("user", "ann")
      yield* Effect.sync(() => set("stale"))
      expect(yield* Request.get("user")).toBe("ann")
    }).pipe(Request.provide({ id: "a" }), Effect.provide(compat.layer)))
  it.live("of a step that waits write to its fiber", () =>
    Effect.gen(function*() {
      yield* Effect.async<void>((resume) => {
        const set = compat.bind((user: string) => request.set("user", user))
        setTimeout(() => {
          set("live")
          resume(Effect.void)
        }, 1)
      })
      expect(yield* Request.get("user")).toBe("live")
    }).pipe(Request.provide({ id: "a" }), Effect.provide(compat.layer)))
})

describe("back to Effect", () => {
  class Service1 extends Service.Tag("test/compat/Service")<Service1, string>() {}
  everywhere("runPromise and runFork run a child task of this one", async () => {
    request.set("user", "ann")
    const seen = await request.runPromise(Effect.gen(function*() {
      const seen = yield* Request.get("user")
      yield* Request.set("user", "child's")
      yield* Effect.sleep(1)
      return [seen, request.get("user")]
    }))
    expect(seen).toEqual(["ann", "child's"])
    expect(request.get("user")).toBe("ann")
    expect(await Effect.runPromise(Fiber.join(request.runFork(Request.get("id"))))).toBe("a")
  })
  it.live("with everything that the fiber had", () => {
    const ref = FiberRef.unsafeMake("initial")
    return Effect.gen(function*() {
      yield* FiberRef.set(ref, "the fiber's")
      const seen = yield* Effect.promise(async () => {
        await sleep(1)
        return compat.runPromise(Effect.gen(function*() {
          return [
            yield* Request.get("id"),
            yield* Service1,
            yield* FiberRef.get(ref),
            (yield* Effect.currentSpan).name,
            HashMap.toEntries(yield* FiberRef.get(FiberRef.currentLogAnnotations))
          ]
        }))
      })
      expect(seen).toEqual(["a", "service", "the fiber's", "span", [["line", 1]]])
    }).pipe(
      Effect.annotateLogs("line", 1),
      Effect.withSpan("span"),
      Effect.provideService(Service1, "service"),
      Request.provide({ id: "a" }),
      Effect.provide(compat.layer)
    )
  })
  everywhere("a failure rejects with the cause", async () => {
    await expect(request.runPromise(Effect.fail(new RangeError("own")))).rejects.toThrow("own")
    await expect(compat.runPromise(Service1 as never)).rejects.toThrow(/Service not found: test\/compat\/Service/)
  })
  everywhere("a signal interrupts the fiber", async () => {
    const controller = new AbortController()
    const fiber = compat.runFork(Effect.never, { signal: controller.signal })
    controller.abort()
    expect(Exit.isInterrupted(await Effect.runPromise(Fiber.await(fiber)))).toBe(true)
    const late = compat.runFork(Effect.never, { signal: AbortSignal.abort() })
    expect(Exit.isInterrupted(await Effect.runPromise(Fiber.await(late)))).toBe(true)
  })
  it.live("is interruptible, even from an uninterruptible region", () =>
    Effect.uninterruptible(Effect.promise(async () => {
      const fiber = compat.runFork(Effect.never)
      fiber.unsafeInterruptAsFork(fiber.id())
      await Effect.runPromise(Fiber.await(fiber))
    })).pipe(Effect.provide(ContextLayer)))
})

describe("the map", () => {
  everywhere("is the same in both worlds", async () => {
    request.set("user", "ann")
    expect(plain(await request.runPromise(Request.data))).toEqual(request.toObject())
    expect(compat.make(Request).get("user")).toBe("ann")
  })
  it.effect("is read and written by fibers' own lines", () =>
    Effect.gen(function*() {
      context.set("a", 1)
      expect(yield* Ctx.get("a")).toBe(1)
      yield* Ctx.set("a", 2)
      expect(context.get("a")).toBe(2)
    }).pipe(Effect.provide(ContextLayer)))
})
