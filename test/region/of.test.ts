import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Layer, ManagedRuntime } from "effect"
import { bridged, inChild, plain } from "../support.js"

class Request extends Context.Tag("test/region/of/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

const entries = Effect.map(Request.data, plain)

describe("a service made with of", () => {
  const service = () => Request.of({ id: "of" })
  const ways: Readonly<Record<string, <A, E>(effect: Effect.Effect<A, E, Request>) => Effect.Effect<A, E>>> = {
    "Effect.provideService": (effect) => Effect.provideService(effect, Request, service()),
    "Effect.provideServiceEffect": (effect) => Effect.provideServiceEffect(effect, Request, Effect.sync(service)),
    "Layer.succeed": (effect) => Effect.provide(effect, Layer.succeed(Request, service())),
    "Layer.sync": (effect) => Effect.provide(effect, Layer.sync(Request, service))
  }
  for (const [name, provided] of Object.entries(ways)) {
    it.live(`${name}: is the map of the effect that it is provided to, written and read there`, () =>
      Effect.gen(function*() {
        expect(yield* entries).toEqual({ id: "of" })
        yield* Request.set("user", "ann")
        expect(yield* entries).toEqual({ id: "of", user: "ann" })
        yield* Effect.promise(async () => request.set("user", "bob"))
        expect(yield* Request.get("user")).toBe("bob")
        expect(yield* inChild(Effect.zipRight(Request.set("user", "child's"), Request.get("id")))).toBe("of")
        expect(yield* Request.get("user")).toBe("bob")
      }).pipe(provided, bridged))

    it.effect(`${name}: gives way to a region inside, and to the outer map after it`, () =>
      Effect.gen(function*() {
        yield* provided(Effect.gen(function*() {
          expect(yield* Request.get("id")).toBe("of")
          expect(yield* Request.get("id").pipe(Request.provide({ id: "inner" }))).toBe("inner")
          expect(yield* Request.get("id")).toBe("of")
        }))
        expect(yield* entries).toEqual({ id: "outer" })
      }).pipe(Request.provide({ id: "outer" })))
  }

  it("is there in a managed runtime", async () => {
    const runtime = ManagedRuntime.make(Layer.succeed(Request, service()))
    expect(await runtime.runPromise(entries)).toEqual({ id: "of" })
    expect(runtime.runSync(Request.get("id"))).toBe("of")
    await runtime.dispose()
  })
})
