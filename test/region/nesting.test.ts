import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect, Layer } from "effect"
import { plain } from "../support.js"

class Request extends Context.Tag("test/region/nesting/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

class Tenant extends Context.Tag("test/region/nesting/Tenant")<Tenant, { readonly name: string }>() {}

const layer = Request.layer({ id: "seed" })

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
          yield* Effect.provide(Request.set("user", "inner's, by the outer services"), outer)
          expect(yield* Request.get("user")).toBe("inner's, by the outer services")
        }).pipe(inner)
        expect(plain(yield* Request.data)).toEqual({ id: "outer", user: "before" })
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
