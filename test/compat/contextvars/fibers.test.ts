import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, ContextLayer } from "aiocontext"
import { Context, ContextVar, copyContext } from "aiocontext/compat/contextvars"
import { Deferred, Effect, Exit, Fiber, FiberId, Layer, ManagedRuntime, Runtime, Stream } from "effect"
import { asApp, sleep } from "../../support.js"

describe("fibers", () => {
  it("one fiber is one task: promise steps, generator lines and sync steps share its context", () => {
    const variable = new ContextVar<string>("var")
    return asApp(Effect.gen(function*() {
      const token = variable.set("lines")
      yield* Effect.promise(async () => {
        expect(variable.get()).toBe("lines")
        await sleep(1)
        variable.set("promise")
      })
      expect(variable.get()).toBe("promise")
      yield* Effect.sync(() => variable.set("sync"))
      expect(yield* Effect.map(Effect.sleep(1), () => variable.get())).toBe("sync")
      yield* Effect.promise(async () => {
        await sleep(1)
        variable.reset(token)
      })
      expect(variable.get(null)).toBe(null)
    }))
  })

  it("children, races and timeouts start with a copy and bring nothing back", () => {
    const variable = new ContextVar<string>("var")
    const child = (name: string) =>
      Effect.gen(function*() {
        const before = variable.get()
        variable.set(name)
        yield* Effect.sleep(1)
        return `${before}-${variable.get()}`
      })
    return asApp(Effect.gen(function*() {
      variable.set("parent")
      expect(yield* Effect.all([child("a"), child("b")], { concurrency: 2 })).toEqual(["parent-a", "parent-b"])
      expect(yield* Effect.race(child("a"), Effect.never)).toBe("parent-a")
      expect(yield* Effect.timeout(child("t"), "1 second")).toBe("parent-t")
      const daemon = yield* Effect.forkDaemon(child("d"))
      expect(yield* Fiber.join(daemon)).toBe("parent-d")
      const mapped = yield* Stream.make("x", "y").pipe(Stream.mapEffect(child, { concurrency: 2 }), Stream.runCollect)
      expect([...mapped]).toEqual(["parent-x", "parent-y"])
      const runtime = yield* Effect.runtime<never>()
      expect(yield* Effect.promise(() => Runtime.runPromise(runtime)(child("r")))).toBe("parent-r")
      expect(variable.get()).toBe("parent")
    }))
  })

  it("several share one context: each sees what the others set at once", () => {
    const variable = new ContextVar("var", { default: "" })
    return asApp(Effect.gen(function*() {
      const ctx = copyContext()
      const turn = yield* Effect.makeSemaphore(1)
      const append = (letter: string) =>
        turn.withPermits(1)(Effect.gen(function*() {
          yield* Effect.sleep(1)
          variable.set(variable.get() + letter)
          yield* Effect.promise(async () => {
            await sleep(1)
            variable.set(variable.get() + letter)
          })
        }))
      const fibers = ["a", "b", "c"].map((letter) => compat.runFork(append(letter), { context: ctx }))
      yield* Effect.forEach(fibers, Fiber.join)
      expect(ctx.get(variable)).toBe("aabbcc")
      expect(variable.get()).toBe("")
      const child = compat.runFork(Effect.flatMap(Effect.fork(Effect.sync(copyContext)), Fiber.join), { context: ctx })
      expect((yield* Fiber.join(child)).get(variable)).toBe("aabbcc")
    }))
  })

  it("that enter a bridge of their own have what they had", () =>
    asApp(Effect.gen(function*() {
      const variable = new ContextVar<string>("v")
      const child = Effect.gen(function*() {
        const token = variable.set("child")
        yield* Effect.provide(Effect.void, compat.layer)
        variable.reset(token)
        return variable.get("none")
      })
      expect(yield* Effect.flatMap(Effect.fork(child), Fiber.join)).toBe("none")
    })))

  it("that outlive the bridge, and enter another one, have nothing of who wakes them", async () => {
    const variable = new ContextVar<string>("v")
    const gate = Deferred.unsafeMake<void>(FiberId.none)
    const late = Effect.zipRight(
      Deferred.await(gate),
      Effect.provide(Effect.sync(() => variable.get("none")), compat.layer)
    )
    const daemon = await asApp(Effect.gen(function*() {
      variable.set("first")
      const daemon = yield* Effect.forkDaemon(late)
      yield* Effect.sleep(1)
      return daemon
    }))
    await asApp(Effect.gen(function*() {
      variable.set("second")
      yield* Effect.sleep(1)
      yield* Deferred.succeed(gate, undefined)
    }))
    expect(await Effect.runPromise(Fiber.join(daemon))).toBe("first")
  })

  it("throw BridgeError outside the bridge", () => {
    const variable = new ContextVar("var", { default: 1 })
    const exits = [
      Effect.sync(() => variable.get()),
      Effect.sync(() => variable.set(2)),
      Effect.sync(() => copyContext()),
      Effect.sync(() => new Context().run(() => 1))
    ].map((effect: Effect.Effect<unknown>) => Effect.runSyncExit(effect))
    exits.forEach((exit) =>
      expect(Exit.isFailure(exit) && exit.cause).toMatchObject({ defect: expect.any(BridgeError) })
    )
    expect(variable.get()).toBe(1)
  })
})

describe("a fiber without a parent", () => {
  it("a runtime's fiber begins with what the program has then, not with what it had when the runtime was built", async () => {
    const variable = new ContextVar<string>("top")
    variable.set("build")
    const managed = ManagedRuntime.make(Layer.mergeAll(compat.layer, ContextLayer))
    const read = Effect.sync(() => variable.get())
    expect(await managed.runPromise(read)).toBe("build")
    variable.set("run")
    expect(await managed.runPromise(read)).toBe("run")
    expect(managed.runSync(read)).toBe("run")
    expect(
      await copyContext().run(() => {
        variable.set("entered")
        return managed.runPromise(read)
      })
    ).toBe("entered")
    expect(variable.get()).toBe("run")
    await managed.dispose()
  })

  it("a fiber without a parent begins with a copy of the context of the code that starts it", async () => {
    const variable = new ContextVar("top", { default: "outside" })
    const ctx = new Context()
    const seen = await ctx.run(() => {
      variable.set("entered")
      return Effect.runPromise(
        Effect.gen(function*() {
          yield* Effect.sleep(1)
          const before = variable.get()
          variable.set("fiber")
          return before
        }).pipe(Effect.provide(compat.layer))
      )
    })
    expect(seen).toBe("entered")
    expect(ctx.get(variable)).toBe("entered")
    expect(variable.get()).toBe("outside")
  })
})
