import { describe, expect, it } from "@effect/vitest"
import { compat, Context, ContextLayer, Ctx } from "aiocontext"
import { Deferred, Effect, Fiber, FiberRef, HashMap, ManagedRuntime } from "effect"
import type { Layer } from "effect"
import { inChild } from "../support.js"

class Isolated extends Context.Tag("test/fork/copy/Isolated")<Isolated>() {}

describe("copy", () => {
  it.effect("the writes of a race's loser are gone", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const loser = Isolated.set("key", "loser's").pipe(
        Effect.andThen(Deferred.succeed(started, undefined)),
        Effect.andThen(Effect.never)
      )
      yield* Effect.race(Deferred.await(started), loser)
      expect(yield* Isolated.has("key")).toBe(false)
    }).pipe(Isolated.provide({})))

  it.effect("a parent's later write does not reach its child", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.zipRight(Deferred.await(written), Isolated.get("key")))
      yield* Isolated.set("key", "late")
      yield* Deferred.succeed(written, undefined)
      expect(yield* Fiber.join(fiber)).toBe(undefined)
    }).pipe(Isolated.provide({})))

  it.effect("hands a child its parent's very map, whatever its size", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 512 }, (_, i) => i), (i) => Ctx.set(`key${i}`, i), { discard: true })
      const own = yield* FiberRef.get(Ctx.ref)
      expect(HashMap.size(own)).toBe(512)
      expect(yield* inChild(FiberRef.get(Ctx.ref))).toBe(own)
    }).pipe(Effect.provide(ContextLayer)))
})

describe("what a child that has ended wrote is not there for the next one", () => {
  const handler = (user?: string) =>
    Effect.gen(function*() {
      if (user !== undefined) {
        yield* Ctx.set("user", user)
      }
      return yield* Ctx.get("user", "nobody")
    })
  const server = Effect.all([
    Effect.timeout(handler("ann"), "1 minute"),
    Effect.timeout(handler(), "1 minute"),
    inChild(handler("bob")),
    inChild(handler())
  ])
  const using = <A>(
    layer: Layer.Layer<Ctx>,
    use: (runtime: ManagedRuntime.ManagedRuntime<Ctx, never>) => Promise<A>
  ) => {
    const runtime = ManagedRuntime.make(layer)
    return Effect.promise(() => use(runtime).finally(() => runtime.dispose()))
  }

  for (const [what, seed] of Object.entries({ "an empty seed": {}, "a seed": { app: "shop" } })) {
    const ways: Readonly<Record<string, () => Effect.Effect<ReadonlyArray<unknown>, unknown>>> = {
      provide: () => Ctx.provide(seed)(server),
      "a layer": () => Effect.provide(server, Ctx.layer(seed)),
      "a layer beside the bridge": () => Effect.provide(server, [Ctx.layer(seed), compat.layer]),
      "a managed runtime": () => using(Ctx.layer(seed), (runtime) => runtime.runPromise(server)),
      "the services of a managed runtime": () =>
        using(Ctx.layer(seed), async (runtime) => {
          const { context } = await runtime.runtime()
          return Effect.runPromise(Effect.provide(server, context))
        }),
      "captured services": () =>
        Effect.flatMap(Ctx.provide(seed)(Effect.context<Ctx>()), (context) => Effect.provide(server, context))
    }
    for (const [name, way] of Object.entries(ways)) {
      it.live(`${name}, with ${what}`, () =>
        Effect.map(way(), (seen) => expect(seen).toEqual(["ann", "nobody", "bob", "nobody"])))
    }
  }
})
