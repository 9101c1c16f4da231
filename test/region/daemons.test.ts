import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber, Layer } from "effect"

// Attached means there

class Plain extends Context.Tag("test/region/daemons/Plain")<Plain>() {}

type Region = <A, E>(effect: Effect.Effect<A, E, Plain>) => Effect.Effect<A, E>

const regions = (entries: Context.Dict): Record<string, Region> => ({
  provide: Plain.provide(entries),
  layer: (effect) => Effect.provide(effect, Plain.layer(entries)),
  "merged layers": (effect) =>
    Effect.provide(effect, Layer.mergeAll(Plain.layer(entries), Layer.effectDiscard(Effect.void)))
})

describe("a daemon that outlives its region", () => {
  for (const [how, outer] of Object.entries(regions({ where: "outer" }))) {
    for (const [name, inner] of Object.entries(regions({ where: "inner" }))) {
      for (const [what, nested] of Object.entries(regions({ where: "nested" }))) {
        it.effect(`${name} in ${how}: keeps its map, whatever services it uses, around ${what} too`, () =>
          outer(Effect.gen(function*() {
            const captured = yield* Effect.context<Plain>()
            const over = yield* Deferred.make<void>()
            const daemon = yield* inner(Effect.forkDaemon(Effect.gen(function*() {
              yield* Deferred.await(over)
              yield* Effect.provide(Plain.set("step", 1), captured)
              yield* nested(Effect.gen(function*() {
                expect(yield* Plain.get("where")).toBe("nested")
                yield* Plain.set("step", "nested")
              }))
              return [yield* Plain.get("where"), yield* Effect.provide(Plain.get("step"), captured)]
            })))
            yield* Deferred.succeed(over, undefined)
            expect(yield* Fiber.join(daemon)).toEqual(["inner", 1])
            expect(yield* Plain.has("step")).toBe(false)
          })))
      }
    }
  }
})
