import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, ContextLayer } from "aiocontext"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { Deferred, Effect, Exit, Fiber, FiberId, Layer, ManagedRuntime, Queue, Runtime, Stream } from "effect"
import { asApp, sleep } from "../../support.js"

describe("fibers", () => {
  it("carry variables across every suspension, whoever wakes them", async () => {
    const variable = new AsyncContext.Variable<string>()
    const [arrived, deferred] = [Deferred.unsafeMake<void>(FiberId.none), Deferred.unsafeMake<void>(FiberId.none)]
    const queue = await Effect.runPromise(Queue.unbounded<number>())
    const program = Effect.gen(function*() {
      const seen = [variable.get()]
      const step = () => seen.push(variable.get())
      yield* Effect.sleep(1)
      step()
      yield* Deferred.succeed(arrived, undefined)
      yield* Deferred.await(deferred)
      step()
      yield* Queue.take(queue)
      step()
      yield* Effect.promise(() => sleep(1))
      step()
      yield* Effect.yieldNow()
      step()
      yield* Effect.async<void>((resume) => {
        setTimeout(() => resume(Effect.void), 1)
      })
      step()
      return seen
    })
    const fiber = variable.run("mine", () => Effect.runFork(Effect.provide(program, compat.layer)))
    await variable.run(
      "foreign",
      () => asApp(Effect.andThen(Deferred.await(arrived), Deferred.succeed(deferred, undefined)))
    )
    await variable.run("foreign", () => asApp(Queue.offer(queue, 1)))
    expect(await Effect.runPromise(Fiber.join(fiber))).toEqual(Array(7).fill("mine"))
  })

  it("children start with their parent's variables: forks, races, streams, runtimes", async () => {
    const variable = new AsyncContext.Variable<string>()
    const read = Effect.as(Effect.sleep(1), undefined).pipe(Effect.map(() => variable.get()))
    const seen = await variable.run("v", () =>
      asApp(Effect.gen(function*() {
        const runtime = yield* Effect.runtime<never>()
        return [
          yield* Effect.flatMap(Effect.fork(read), Fiber.join),
          yield* Effect.flatMap(Effect.forkDaemon(read), Fiber.join),
          ...yield* Effect.all([read, read], { concurrency: 2 }),
          yield* Effect.race(read, Effect.never),
          yield* Effect.timeout(read, "1 second"),
          ...yield* Stream.runCollect(Stream.mapEffect(Stream.make(1, 2), () => read, { concurrency: 2 })),
          yield* Effect.promise(() => Runtime.runPromise(runtime)(read)),
          yield* Effect.promise(() => compat.runPromise(read))
        ]
      })))
    expect(seen).toEqual(Array(10).fill("v"))
  })

  it("a run in a fiber's lines holds for what the function starts, and for nothing after it", () => {
    const variable = new AsyncContext.Variable<string>()
    return asApp(Effect.gen(function*() {
      const read = Effect.andThen(Effect.sleep(1), Effect.sync(() => variable.get()))
      const started = variable.run("lines", () => [variable.get(), compat.runPromise(read)] as const)
      expect([started[0], yield* Effect.promise(() => started[1]), variable.get()]).toEqual([
        "lines",
        "lines",
        undefined
      ])
      const seen = yield* Effect.promise(() =>
        variable.run("promise", async () => {
          await sleep(1)
          return [variable.get(), await compat.runPromise(read), await compat.fork(() => variable.get())]
        })
      )
      expect(seen).toEqual(["promise", "promise", "promise"])
      expect(variable.get()).toBe(undefined)
    }))
  })

  it("of a runtime that has the bridge have the variables of the code that runs them", async () => {
    const variable = new AsyncContext.Variable<number>()
    const managed = variable.run(-1, () => ManagedRuntime.make(Layer.mergeAll(compat.layer, ContextLayer)))
    const read = Effect.andThen(Effect.sleep(1), Effect.sync(() => variable.get()))
    await variable.run(-2, () => managed.runPromise(read))
    const ids = Array.from({ length: 50 }, (_, i) => i)
    const seen = await Promise.all(ids.map((i) => variable.run(i, () => managed.runPromise(read))))
    expect(seen).toEqual(ids)
    expect(await managed.runPromise(read)).toBe(undefined)
    await managed.dispose()
  })

  it("that a layer starts and that outlive its building belong to nobody's run", async () => {
    const variable = new AsyncContext.Variable<string>({ defaultValue: "nobody" })
    const seen = Deferred.unsafeMake<string | undefined>(FiberId.none)
    const read = Effect.andThen(Effect.sleep(1), Effect.sync(() => variable.get())).pipe(Effect.intoDeferred(seen))
    const worker = Layer.scopedDiscard(Effect.forkScoped(read)).pipe(Layer.provideMerge(compat.layer))
    const managed = ManagedRuntime.make(worker)
    const builder = await variable.run("first request", () => managed.runPromise(Effect.sync(() => variable.get())))
    expect(builder).toBe("first request")
    expect(await Effect.runPromise(Deferred.await(seen))).toBe("nobody")
    await managed.dispose()
  })

  it("throw BridgeError outside the bridge", () => {
    const variable = new AsyncContext.Variable<number>()
    const programs: Array<() => unknown> = [
      () => variable.get(),
      () => variable.run(1, () => 1),
      () => new AsyncContext.Snapshot(),
      () => AsyncContext.Snapshot.wrap(() => 1)
    ]
    for (const program of programs) {
      const exit = variable.run(0, () => Effect.runSyncExit(Effect.sync(program)))
      expect(Exit.isFailure(exit) && exit.cause).toMatchObject({ defect: expect.any(BridgeError) })
    }
  })
})
