import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { Context as EffectContext, Deferred, Effect, Fiber, FiberId, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bridged, inChild, withResolvers } from "../support.js"

class Reading extends EffectContext.Tag("test/bridge/layers/Reading")<Reading, {
  readonly seen: Effect.Effect<string | undefined>
}>() {}

describe("a layer's fibers", () => {
  const storage = new AsyncLocalStorage<string>()

  /** Looks at its stores again and again. */
  const worker = (look: () => void) =>
    Layer.scopedDiscard(Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sync(look), Effect.sleep(1)))))

  for (
    const [name, layerOf] of [
      ["alone", worker],
      ["beside another one", (look) => Layer.merge(worker(look), worker(look))],
      ["in the building of another one", (look) => Layer.scopedDiscard(Layer.build(worker(look)))]
    ] satisfies ReadonlyArray<[string, (look: () => void) => Layer.Layer<never>]>
  ) {
    it(`a request that a shared layer was built in, ${name}, leaves nothing in the fibers that the layer keeps`, async () => {
      const { promise, resolve } = withResolvers()
      const seen: Array<string | undefined> = []
      const look = () => seen.push(storage.getStore()) > 6 && resolve()
      const runtime = ManagedRuntime.make(Layer.provide(layerOf(look), compat.layer))
      await storage.run("the first request's", () => runtime.runPromise(Effect.void))
      await promise
      await runtime.dispose()
      expect(new Set(seen)).toEqual(new Set([undefined]))
    })
  }

  const read = Effect.sync(() => storage.getStore())

  const waiting: ReadonlyArray<[string, Effect.Effect<string | undefined>]> = [
    ["a fork that is joined", inChild(read)],
    ["a timeout", Effect.orDie(Effect.timeout(read, 60_000))],
    ["a race", Effect.race(read, Effect.never)],
    [
      "Effect.all",
      Effect.map(Effect.all([Effect.zipRight(Effect.sleep(1), read), read], { concurrency: 2 }), ([a]) => a)
    ]
  ]

  for (const [name, effect] of waiting) {
    it(`${name}, waited for by a layer's building, keeps the stores of who builds it`, async () => {
      const built = Layer.effect(Reading, Effect.map(effect, (seen) => ({ seen: Effect.succeed(seen) })))
      const program = Effect.flatMap(Reading, ({ seen }) => seen).pipe(Effect.provide(built), bridged)
      expect(await storage.run("the request's", () => Effect.runPromise(program))).toBe("the request's")
    })

    it(`${name}, of a service with a context that it took when it was built, keeps the stores of who uses it`, async () => {
      const built = Layer.effect(
        Reading,
        Effect.map(Effect.context<never>(), (context) => ({ seen: Effect.provide(effect, context) }))
      )
      const runtime = ManagedRuntime.make(Layer.provideMerge(built, compat.layer))
      await storage.run("the first request's", () => runtime.runPromise(Effect.void))
      const program = Effect.flatMap(Reading, ({ seen }) => seen)
      expect(await storage.run("the request's", () => runtime.runPromise(program))).toBe("the request's")
      await runtime.dispose()
    })
  }

  it("what a fiber that a layer keeps enters stays with the fibers that it forks", async () => {
    const done = Deferred.unsafeMake<ReadonlyArray<string | undefined>>(FiberId.none)
    const later = Effect.zipRight(Effect.sleep(1), read)
    const serve = Effect.gen(function*() {
      yield* Effect.sync(() => storage.enterWith("the fiber's"))
      const child = yield* Effect.fork(later)
      const [daemon] = yield* Effect.all([Effect.zipRight(Effect.sleep(1), Effect.forkDaemon(later)), Effect.void], {
        concurrency: 2
      })
      return [yield* Fiber.join(child), yield* Fiber.join(daemon)]
    })
    const kept = Layer.scopedDiscard(Effect.forkScoped(Effect.intoDeferred(serve, done)))
    const runtime = ManagedRuntime.make(Layer.provide(kept, compat.layer))
    await storage.run("the first request's", () => runtime.runPromise(Effect.void))
    expect(await Effect.runPromise(Deferred.await(done))).toEqual(["the fiber's", "the fiber's"])
    await runtime.dispose()
  })
})

describe("where the bridge is built", () => {
  /** Whether a layer is built by the very fiber that its region is of. */
  const isBuiltInRegion = (wire: (layer: Layer.Layer<never>) => Layer.Layer<never>) =>
    Effect.withFiberRuntime<boolean>((region) => {
      let isSame = false
      const layer = Layer.effectDiscard(
        Effect.withFiberRuntime((fiber) => Effect.sync(() => (isSame = fiber === region)))
      )
      return Effect.map(Effect.provide(Effect.void, wire(layer)), () => isSame)
    })

  // so nothing warns of it: the error says so where code of a fiber outside the bridge first runs
  it("a layer cannot tell that it is beside others: mergeAll builds one alone in the same way", () => {
    const other = Layer.scopedDiscard(Effect.forkScoped(Effect.never))
    const built = {
      alone: isBuiltInRegion((layer) => Layer.mergeAll(layer)),
      beside: isBuiltInRegion((layer) => Layer.mergeAll(layer, other)),
      // the bridge and its context side by side, under what uses them: as it should be
      underOthers: isBuiltInRegion((layer) => Layer.provideMerge(other, Layer.mergeAll(layer, Layer.empty))),
      under: isBuiltInRegion((layer) => Layer.provideMerge(other, layer))
    }
    return Effect.runPromise(Effect.all(built)).then((seen) =>
      expect(seen).toEqual({ alone: false, beside: false, underOthers: false, under: true })
    )
  })
})
