import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Context as Service, Deferred, Effect, Fiber, FiberRef, Layer, ManagedRuntime, Runtime } from "effect"
import { plain } from "./support.js"

class Request extends Context.Tag("test/attached/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
class Tenant extends Context.Tag("test/attached/Tenant")<Tenant, { readonly name: string }>() {}
class Unused extends Service.Tag("test/attached/Unused")<Unused, number>() {}

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
      class Reader extends Service.Tag("test/attached/Reader")<Reader, Effect.Effect<string>>() {}
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

  it.effect("and the fiber ref has it", () =>
    Effect.gen(function*() {
      expect(plain(yield* FiberRef.get(Request.ref))).toEqual({ id: "seed" })
      yield* Request.set("user", "ann")
      expect(plain(yield* Request.ref)).toEqual({ id: "seed", user: "ann" })
    }).pipe(Effect.provide(layer)))
})

describe("a region inside a region", () => {
  const inners: Record<string, (self: Effect.Effect<void, never, Request>) => Effect.Effect<void>> = {
    "Ctx.provide": Request.provide({ id: "inner" }),
    "a layer": Effect.provide(Request.layer({ id: "inner" })),
    "merged layers": Effect.provide(Layer.mergeAll(Request.layer({ id: "inner" }), Tenant.layer({ name: "t" }))),
    "Layer.fresh": Effect.provide(Layer.fresh(Request.layer({ id: "inner" })))
  }
  for (const [name, inner] of Object.entries(inners)) {
    it.effect(`${name}: the inner values inside, the outer ones outside, later writes included`, () =>
      Effect.gen(function*() {
        const outer = yield* Effect.context<Request>()
        yield* Request.set("user", "before")
        yield* Effect.gen(function*() {
          expect(plain(yield* Request.data)).toEqual({ id: "inner" })
          yield* Request.set("user", "inner's")
          yield* Effect.provide(Request.set("user", "from inside"), outer)
          expect(yield* Effect.provide(Request.get("user"), outer)).toBe("from inside")
          expect(yield* Request.get("user")).toBe("inner's")
        }).pipe(inner)
        expect(plain(yield* Request.data)).toEqual({ id: "outer", user: "from inside" })
        yield* Request.set("user", "after")
        yield* inner(Effect.void)
        expect(plain(yield* Request.data)).toEqual({ id: "outer", user: "after" })
      }).pipe(Effect.provide(Request.layer({ id: "outer" }))))
  }

  it.effect("the same layer, provided again", () =>
    Effect.gen(function*() {
      yield* Request.set("user", "outer's")
      expect(yield* Effect.provide(Request.get("user"), layer)).toBe(undefined)
      expect(yield* Request.get("user")).toBe("outer's")
    }).pipe(Effect.provide(layer)))
})

describe("leaving a region", () => {
  it.effect("by failure, defect or interruption brings the outer map back", () =>
    Effect.gen(function*() {
      const touch = Request.set("user", "inner's")
      for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        yield* Effect.exit(Effect.zipRight(touch, end).pipe(Request.provide({ id: "inner" })))
        yield* Effect.exit(Effect.zipRight(touch, end).pipe(Effect.provide(layer)))
        expect(plain(yield* Request.data)).toEqual({ id: "outer" })
      }
    }).pipe(Request.provide({ id: "outer" })))

  it.effect("locally restores its keys and no others, however it ends", () =>
    Effect.gen(function*() {
      const region = Request.locally({ user: "local" })
      yield* region(Effect.gen(function*() {
        expect(yield* Request.get("user")).toBe("local")
        yield* Request.set("user", "changed")
        yield* Request.set("id", "kept")
      }))
      expect(plain(yield* Request.data)).toEqual({ id: "kept" })
      yield* Request.set("user", "ann")
      yield* Effect.exit(region(Effect.fail("no")))
      yield* Effect.exit(region(Effect.interrupt))
      expect(plain(yield* Request.data)).toEqual({ id: "kept", user: "ann" })
    }).pipe(Request.provide({ id: "outer" })))

  it.effect("leaves as many fiber refs as there were", () =>
    Effect.gen(function*() {
      yield* Effect.provide(Effect.void, Layer.succeed(Unused, 1))
      yield* Effect.provide(Effect.void, Layer.scopedDiscard(Effect.acquireRelease(Effect.void, () => Effect.void)))
      const before = (yield* Effect.getFiberRefs).locals.size
      yield* Effect.zipRight(Request.set("user", "a"), read).pipe(Request.provide({ id: "a" }))
      yield* Effect.zipRight(Request.set("user", "a"), read).pipe(Effect.provide(layer))
      expect((yield* Effect.getFiberRefs).locals.size).toBe(before)
      expect((yield* Effect.getFiberRefs).locals.has(Request.ref)).toBe(false)
    }))
})

describe("Context.attached", () => {
  it.effect("lists what is attached where it runs", () =>
    Effect.gen(function*() {
      expect(yield* Context.attached).toEqual([])
      const [one, both] = yield* Effect.gen(function*() {
        const one = yield* Context.attached
        return [one, yield* Effect.provide(Context.attached, Tenant.layer({ name: "t" }))] as const
      }).pipe(Request.provide({ id: "a" }))
      expect(one).toEqual([Request])
      expect(both).toEqual([Request, Tenant])
    }))
})

describe("dataOf", () => {
  it.effect("reads any fiber, running or done, and fails where nothing is attached", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const running = yield* Effect.fork(
        Effect.all([Request.set("user", "r"), Deferred.succeed(written, undefined), Effect.never])
      )
      const done = yield* Effect.fork(Request.set("user", "d"))
      yield* Fiber.join(done)
      yield* Deferred.await(written)
      expect(plain(yield* Request.dataOf(running))).toEqual({ id: "a", user: "r" })
      expect(plain(yield* Request.dataOf(done))).toEqual({ id: "a", user: "d" })
      expect(yield* Effect.flip(Tenant.dataOf(done))).toMatchObject({ _tag: "NotAttachedError", context: Tenant.key })
      yield* Fiber.interrupt(running)
    }).pipe(Request.provide({ id: "a" })))
})

describe("Context.attached", () => {
  it.effect("reads no property of other services: a strict double throws", () => {
    const strict = new Proxy({}, {
      get: (_, key) => {
        throw new Error(`unexpected ${String(key)}`)
      }
    })
    return Effect.map(Context.attached, (contexts) => expect(contexts.map(({ key }) => key)).toEqual([Tenant.key]))
      .pipe(
        Tenant.provide({ name: "t" }),
        Effect.provideService(Unused, strict as never)
      )
  })
})
