import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import type { Scope } from "effect"
import {
  Cache,
  Context as Services,
  Duration,
  Effect,
  Fiber,
  FiberRef,
  KeyedPool,
  Layer,
  Option,
  Pool,
  RcMap,
  RcRef,
  Runtime,
  ScopedCache
} from "effect"
import { bridged, inChild } from "../support.js"

class Request extends Context.Tag("test/region/captured/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

/** What Effect itself does with a fiber's own value. */
const plain = FiberRef.unsafeMake("nobody")

/** A request: the context, and a plain fiber ref. */
const inRequest = (id: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Request.provide({ id }), Effect.locally(plain, id))

/** The same, with a layer. */
const inLayer = (id: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Effect.provide(Request.layer({ id })), Effect.locally(plain, id))

type Lookup<R> = Effect.Effect<unknown, never, R>

/** What keeps an effect, and the services that it found, for later: gives the effect that uses what is kept. */
type Holder = <R>(lookup: Lookup<R>) => Effect.Effect<Lookup<never>, never, R | Scope.Scope>

class Reader extends Services.Tag("test/region/captured/Reader")<Reader, Lookup<never>>() {}

const options = { capacity: 9, timeToLive: Duration.infinity }

const holders: Readonly<Record<string, Holder>> = {
  "Effect.cachedWithTTL": (lookup) => Effect.cachedWithTTL(lookup, "1 hour"),
  "Effect.cachedInvalidateWithTTL": (lookup) =>
    Effect.map(Effect.cachedInvalidateWithTTL(lookup, "1 hour"), ([cached]) => cached),
  Cache: (lookup) => Effect.map(Cache.make({ ...options, lookup: () => lookup }), (cache) => cache.get("key")),
  ScopedCache: (lookup) =>
    Effect.map(ScopedCache.make({ ...options, lookup: () => lookup }), (cache) => Effect.scoped(cache.get("key"))),
  RcRef: (lookup) => Effect.map(RcRef.make({ acquire: lookup }), (ref) => Effect.scoped(RcRef.get(ref))),
  RcMap: (lookup) => Effect.map(RcMap.make({ lookup: () => lookup }), (map) => Effect.scoped(RcMap.get(map, "key"))),
  KeyedPool: (lookup) =>
    Effect.map(
      KeyedPool.make({ acquire: () => lookup, size: 1 }),
      (pool) => Effect.scoped(KeyedPool.get(pool, "key"))
    ),
  "Effect.provide of a context": <R>(lookup: Lookup<R>) =>
    Effect.map(Effect.context<R>(), (context) => Effect.provide(lookup, context)),
  "Effect.provide of a context, in a child": <R>(lookup: Lookup<R>) =>
    Effect.map(Effect.context<R>(), (context) => inChild(Effect.provide(lookup, context))),
  "a service built by a layer": <R>(lookup: Lookup<R>) =>
    Layer.effect(
      Reader,
      Effect.map(Effect.context<R>(), (context) => Effect.provide(lookup, context))
    ).pipe(Layer.build, Effect.map((built) => Services.get(built, Reader)))
}

describe("what a request captured never takes the place of the map of the fiber that runs", () => {
  const lookups = {
    "Effect code": Request.get("id"),
    "promise code": Effect.zipRight(
      Request.get("id"),
      Effect.promise(async () => {
        await Promise.resolve()
        return request.peek("id", "lost")
      })
    )
  }
  for (const [name, hold] of Object.entries(holders)) {
    for (const [what, lookup] of Object.entries(lookups)) {
      for (const [how, region] of Object.entries({ provide: inRequest, "a layer": inLayer })) {
        it.scopedLive(`${name}: ${what}, with ${how}`, () =>
          Effect.gen(function*() {
            const held = yield* region("A")(hold(Effect.zip(lookup, FiberRef.get(plain))))
            expect(yield* region("B")(held)).toEqual(["B", "B"])
          }).pipe(bridged))
      }
    }
  }
})

describe("what is made outside every request and looked up in one has that one's map", () => {
  const lookups = {
    "Effect code": Effect.map(Request.peek("id"), Option.getOrElse(() => "lost")),
    "promise code": Effect.promise(async () => {
      await Promise.resolve()
      return request.peek("id", "lost")
    })
  }
  for (const [name, hold] of Object.entries(holders)) {
    for (const [what, lookup] of Object.entries(lookups)) {
      it.scopedLive(`${name}: ${what}`, () =>
        Effect.gen(function*() {
          const held = yield* hold(lookup)
          expect(yield* inRequest("B")(held)).toBe("B")
        }).pipe(bridged))
    }
  }
})

describe("a Pool, whose items its own fibers make,", () => {
  it.scopedLive("gives them the map that a plain fiber ref has there", () =>
    Effect.gen(function*() {
      const acquire = Effect.zip(Request.get("id"), FiberRef.get(plain))
      const pool = yield* inRequest("A")(Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 hour" }))
      const [own, theirs] = yield* inRequest("B")(Effect.scoped(Pool.get(pool)))
      expect(own).toBe(theirs)
    }))
})

describe("captured services", () => {
  it.effect("write to the map of the fiber that runs", () =>
    Effect.gen(function*() {
      const captured = yield* Effect.context<Request>()
      yield* Effect.gen(function*() {
        yield* Effect.provide(Request.set("user", "ann"), captured)
        expect(yield* Request.get("user")).toBe("ann")
      }).pipe(Request.provide({ id: "B" }))
      expect(yield* Request.get("user")).toBe(undefined)
    }).pipe(Request.provide({ id: "A" })))

  it.effect("are where a fiber without any map starts from", () =>
    Effect.gen(function*() {
      const captured = yield* Effect.context<Request>().pipe(Request.provide({ id: "A" }))
      const write = Request.set("user", "ann").pipe(Effect.zipRight(Request.get("user")), Effect.provide(captured))
      expect(yield* inChild(write)).toBe("ann")
      expect(yield* inChild(Effect.provide(Request.entries, captured))).toEqual([["id", "A"]])
    }))
})

describe("a captured runtime", () => {
  it.effect("gives its fiber refs where it is provided, as Effect's do, and leaves what was set before", () =>
    Effect.gen(function*() {
      const runtimes = [
        yield* inRequest("A")(Effect.runtime<Request>()),
        yield* inLayer("A")(Effect.runtime<Request>())
      ]
      yield* Request.set("user", "later")
      for (const runtime of runtimes) {
        const [own, theirs] = yield* Effect.provide(Effect.zip(Request.get("id"), FiberRef.get(plain)), runtime)
        expect(own).toBe(theirs)
        expect(yield* Request.entries).toEqual(expect.arrayContaining([["id", "B"], ["user", "later"]]))
      }
    }).pipe(inRequest("B")))

  it.effect("of the region itself changes nothing there", () =>
    Effect.gen(function*() {
      const own = yield* Effect.runtime<Request>()
      yield* Effect.provide(Request.set("user", "ann"), own)
      expect(yield* Request.get("user")).toBe("ann")
    }).pipe(inRequest("B")))

  it.effect("runs its fibers with the map that it captured", () =>
    Effect.gen(function*() {
      const runtime = yield* Effect.runtime<Request>().pipe(Request.provide({ id: "A" }))
      const run = Runtime.runFork(runtime)
      yield* Effect.gen(function*() {
        expect(yield* Fiber.join(run(Effect.zipLeft(Request.get("id"), Request.set("user", "ann"))))).toBe("A")
        expect(yield* Fiber.join(run(Request.get("user")))).toBe(undefined)
        expect(yield* Request.get("id")).toBe("B")
      }).pipe(Request.provide({ id: "B" }))
    }))
})
