import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Context as Service, Effect, Fiber, Layer, ManagedRuntime, Runtime } from "effect"

class Request extends Context.Tag("test/region/ways/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

class Tenant extends Context.Tag("test/region/ways/Tenant")<Tenant, { readonly name: string }>() {}

class Unused extends Service.Tag("test/region/ways/Unused")<Unused, number>() {}

const read = Request.get("id")

const layer = Request.layer({ id: "seed" })

describe("where R is discharged, the map is there", () => {
  const ways: Record<string, Effect.Effect<string>> = {
    "Ctx.provide": read.pipe(Request.provide({ id: "seed" })),
    "Ctx.layer": read.pipe(Effect.provide(layer)),
    "Layer.mergeAll": read.pipe(
      Effect.provide(Layer.mergeAll(layer, Tenant.layer({ name: "t" }), Layer.succeed(Unused, 1)))
    ),
    "Layer.provideMerge": read.pipe(Effect.provide(Layer.provideMerge(Tenant.layer({ name: "t" }), layer))),
    "Layer.provide, in a service's methods": Effect.gen(function*() {
      class Reader extends Service.Tag("test/region/ways/Reader")<Reader, Effect.Effect<string>>() {}
      const live = Layer.effect(
        Reader,
        Effect.map(Effect.context<Request>(), (context) => Effect.provide(read, context))
      )
      return yield* Effect.flatten(Reader).pipe(Effect.provide(Layer.provide(live, layer)))
    }),
    "Effect.provide of a list": read.pipe(Effect.provide([layer, Tenant.layer({ name: "t" })])),
    "ManagedRuntime": Effect.acquireUseRelease(
      Effect.sync(() => ManagedRuntime.make(Layer.merge(layer, Tenant.layer({ name: "t" })))),
      (runtime) => Effect.promise(() => runtime.runPromise(read)),
      (runtime) => Effect.promise(() => runtime.dispose())
    ),
    "ManagedRuntime.runSync": Effect.sync(() => ManagedRuntime.make(layer).runSync(read)),
    "Layer.fresh": read.pipe(Effect.provide(Layer.fresh(layer))),
    "Layer.launch": Effect.gen(function*() {
      let seen = ""
      const app = Layer.effectDiscard(Effect.map(read, (id) => void (seen = id)))
      const fiber = yield* Effect.fork(Layer.launch(Layer.provide(app, layer)))
      while (seen === "") {
        yield* Effect.yieldNow()
      }
      yield* Fiber.interrupt(fiber)
      return seen
    }),
    "Effect.runtime": Effect.runtime<Request>().pipe(
      Effect.provide(layer),
      Effect.map((runtime) => Runtime.runSync(runtime)(read))
    ),
    "Effect.context, provided elsewhere": Effect.context<Request>().pipe(
      Effect.provide(layer),
      Effect.flatMap((context) => Effect.provide(read, context))
    ),
    "Effect.context, provided in another fiber": Effect.context<Request>().pipe(
      Request.provide({ id: "seed" }),
      Effect.flatMap((context) => Effect.flatMap(Effect.fork(Effect.provide(read, context)), Fiber.join))
    ),
    "Layer.build": Effect.scoped(
      Effect.flatMap(Layer.build(layer), (context) => Effect.provide(read, context))
    ),
    "Layer.build into a scope that is closed": Effect.flatMap(
      Effect.scoped(Layer.build(layer)),
      (context) => Effect.provide(read, context)
    ),
    "Layer.toRuntime": Effect.scoped(
      Effect.map(Layer.toRuntime(layer), (runtime) => Runtime.runSync(runtime)(read))
    ),
    "Layer.memoize": Effect.scoped(
      Effect.flatMap(
        Layer.memoize(layer),
        (memoized) => Effect.zipRight(Effect.provide(read, memoized), Effect.provide(read, memoized))
      )
    ),
    "a memoized layer, needed twice": read.pipe(
      Effect.provide(Layer.mergeAll(
        layer,
        Layer.provide(Layer.effect(Unused, Effect.as(read, 1)), layer)
      ))
    ),
    "Snapshot.run": Request.snapshot.pipe(
      Request.provide({ id: "seed" }),
      Effect.flatMap((snapshot) => snapshot.run(read))
    ),
    "Layer.suspend": read.pipe(Effect.provide(Layer.suspend(() => layer))),
    "Layer.unwrapEffect": read.pipe(Effect.provide(Layer.unwrapEffect(Effect.succeed(layer))))
  }

  for (const [name, effect] of Object.entries(ways)) {
    it.live(name, () => Effect.map(effect, (id) => expect(id).toBe("seed")))
  }
})
