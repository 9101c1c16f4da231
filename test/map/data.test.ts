import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber, FiberRef } from "effect"
import { plain } from "../support.js"

class Request extends Context.Tag("test/map/data/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

class Tenant extends Context.Tag("test/map/data/Tenant")<Tenant, { readonly name: string }>() {}

describe("ref", () => {
  it.effect("has the map of the fiber", () =>
    Effect.gen(function*() {
      expect(plain(yield* FiberRef.get(Request.ref))).toEqual({ id: "seed" })
      yield* Request.set("user", "ann")
      expect(plain(yield* Request.ref)).toEqual({ id: "seed", user: "ann" })
    }).pipe(Effect.provide(Request.layer({ id: "seed" }))))
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
