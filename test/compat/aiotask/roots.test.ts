import { describe, expect, it } from "@effect/vitest"
import { compat, context } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { Deferred, Effect, Fiber, FiberId, Layer, ManagedRuntime } from "effect"
import { bridged, gated, sleep, withResolvers } from "../../support.js"

const { fork } = compat

describe("a root", () => {
  it("is empty also inside another, and leaves the outer one as it was", () =>
    aiotask.run(async () => {
      aiotask.set("key", "outer")
      await aiotask.run(async () => {
        expect(aiotask.get("key")).toBeUndefined()
        aiotask.set("key", "inner")
        await sleep(1)
        expect(aiotask.get("key")).toBe("inner")
      })
      expect(aiotask.get("key")).toBe("outer")
    }))

  it("of an effect is empty at each run, and leaves the fiber as it was", () =>
    Effect.gen(function*() {
      aiotask.set("key", "outer")
      const inner = aiotask.run(Effect.sync(() => {
        const before = aiotask.get("key")
        aiotask.set("key", "inner")
        return before
      }))
      expect(yield* inner).toBeUndefined()
      expect(yield* inner).toBeUndefined()
      expect(aiotask.get("key")).toBe("outer")
    }).pipe(bridged, Effect.runPromise))

  it("of an effect that is interrupted leaves the fiber as it was", () =>
    Effect.gen(function*() {
      aiotask.set("key", "outer")
      yield* aiotask.run(Effect.sleep("1 minute")).pipe(Effect.timeoutOption(1))
      yield* Effect.exit(aiotask.run(Effect.die("broken")))
      expect(aiotask.get("key")).toBe("outer")
    }).pipe(bridged, Effect.runPromise))

  it("keeps the other contexts of the task that starts it", () =>
    context.run({ user: "ann" }, () => aiotask.run(() => expect(context.get("user")).toBe("ann"))))

  it("is a fiber that nobody started with run, and its children share its map from the start", () =>
    Effect.gen(function*() {
      const set = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.zipRight(Deferred.await(set), Effect.sync(() => aiotask.get("key"))))
      aiotask.set("key", "parent, after the fork")
      yield* Deferred.succeed(set, undefined)
      expect(yield* Fiber.join(child)).toBe("parent, after the fork")
      yield* Effect.forEach([1, 2], (n) => Effect.sync(() => aiotask.set(`child-${n}`, n)), { concurrency: 2 })
      expect([aiotask.get("child-1"), aiotask.get("child-2")]).toEqual([1, 2])
    }).pipe(bridged, Effect.runPromise))

  it("is a promise task that nobody started with run, and its children share its map from the start", () =>
    context.run({}, async () => {
      const { promise, resolve } = withResolvers()
      const child = fork(async () => {
        await promise
        return aiotask.get("key")
      })
      aiotask.set("key", "parent, after the fork")
      resolve()
      expect(await child).toBe("parent, after the fork")
      await compat.runPromise(Effect.sync(() => aiotask.set("fiber", "child")))
      expect(aiotask.get("fiber")).toBe("child")
    }))

  it("is each task that starts outside every task, or in a fiber outside the bridge", async () => {
    const request = (id: string) =>
      context.run({}, async () => {
        aiotask.set("key", id)
        await sleep(1)
        return aiotask.get("key")
      })
    expect(await Promise.all([request("a"), request("b")])).toEqual(["a", "b"])
    const fiber = (id: string) => Effect.runPromise(Effect.promise(() => request(id)))
    expect(await Promise.all([fiber("a"), fiber("b")])).toEqual(["a", "b"])
  })

  it("is a fiber that a layer keeps, and its children share its map from the start", async () => {
    const done = Deferred.unsafeMake<unknown>(FiberId.none)
    const serve = Effect.gen(function*() {
      const set = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.zipRight(Deferred.await(set), Effect.sync(() => aiotask.get("key"))))
      aiotask.set("key", "parent, after the fork")
      yield* Deferred.succeed(set, undefined)
      return yield* Fiber.join(child)
    })
    const kept = Layer.scopedDiscard(Effect.forkScoped(Effect.intoDeferred(serve, done)))
    const runtime = ManagedRuntime.make(Layer.provide(kept, compat.layer))
    await runtime.runPromise(Effect.sync(() => aiotask.set("key", "first request")))
    expect(await Effect.runPromise(Deferred.await(done))).toBe("parent, after the fork")
    await runtime.dispose()
  })

  it("is each run of a managed runtime, whose layers are built in parallel", async () => {
    const runtime = ManagedRuntime.make(
      Layer.mergeAll(Layer.effectDiscard(Effect.sleep(1)), Layer.effectDiscard(Effect.yieldNow())).pipe(
        Layer.provideMerge(compat.layer)
      )
    )
    const request = (id: string) =>
      Effect.gen(function*() {
        expect(aiotask.get("key")).toBeUndefined()
        aiotask.set("key", id)
        yield* Effect.all([Effect.sleep(1), Effect.yieldNow()], { concurrency: 2 })
        return aiotask.get("key")
      })
    const results = await Promise.all(["a", "b", "c"].map((id) => runtime.runPromise(request(id))))
    expect(results).toEqual(["a", "b", "c"])
    expect(await runtime.runPromise(request("d"))).toBe("d")
    await runtime.dispose()
  })
})

describe("left-over code", () => {
  it("of a fiber goes on with its root's map, and does not touch another's", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* aiotask.run(Effect.sync(() => {
        aiotask.set("key", "a")
        start(() => {
          aiotask.set("late", true)
          return aiotask.get("key")
        })
      }))
      yield* aiotask.run(Effect.gen(function*() {
        aiotask.set("key", "b")
        expect(yield* Effect.promise(open)).toEqual(["a"])
        expect([aiotask.get("key"), aiotask.get("late")]).toEqual(["b", undefined])
      }))
    }).pipe(bridged, Effect.runPromise))

  it("of a fiber that has no map yet makes a map of its own, and its children share that", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* Effect.promise(async () =>
        start(async () => {
          await fork(async () => aiotask.set("key", "left over"))
          return aiotask.get("key")
        })
      )
      expect(yield* Effect.promise(open)).toEqual(["left over"])
      expect(aiotask.get("key")).toBeUndefined()
    }).pipe(bridged, Effect.runPromise))
})
