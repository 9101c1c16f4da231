import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect, Fiber, Layer } from "effect"

class Plain extends Context.Tag("test/region/captured/Plain")<Plain>() {}
class Chained extends Context.Tag("test/region/captured/Chained")<Chained>({ fork: "chain" }) {}
class Shared extends Context.Tag("test/region/captured/Shared")<Shared>({ fork: "share" }) {}
class Copied extends Context.Tag("test/region/captured/Copied")<Copied>({ fork: "deepCopy" }) {}
class Merged extends Context.Tag("test/region/captured/Merged")<Merged>({ join: "merge" }) {}

const tags = { copy: Plain, chain: Chained, share: Shared, deepCopy: Copied, merge: Merged } as unknown as Record<
  string,
  typeof Plain
>

for (const [strategy, Tag] of Object.entries(tags)) {
  const regions = {
    provide: Tag.provide({}),
    layer: Effect.provide(Tag.layer({}))
  }
  for (const [how, region] of Object.entries(regions)) {
    describe(`a captured runtime, with ${strategy} and ${how}`, () => {
      it.effect("gives its map where it is provided, and leaves what was set before", () =>
        region(Effect.gen(function*() {
          const own = yield* Effect.runtime<Plain>()
          const inner = yield* Tag.provide({ a: "inner" })(Effect.runtime<Plain>())
          const layered = yield* Effect.runtime<Plain>().pipe(Effect.provide(Tag.layer({ a: "layered" })))
          yield* Tag.set("a", "later")
          for (const [runtime, seen] of [[inner, "inner"], [layered, "layered"]] as const) {
            expect(yield* Effect.provide(Tag.get("a"), runtime)).toBe(seen)
            expect(yield* Tag.get("a")).toBe("later")
          }
          yield* Effect.provide(Tag.set("b", "set under the region's own runtime"), own)
          expect(yield* Tag.get("a")).toBe("later")
          expect(yield* Tag.get("b")).toBe("set under the region's own runtime")
        })))
    })
  }
}

describe("a child that wrote to the maps of several regions", () => {
  it.effect("merges all of them into the fiber that joins it", () =>
    Effect.gen(function*() {
      const outer = yield* Effect.context<Merged>()
      yield* Effect.gen(function*() {
        const child = yield* Effect.fork(Effect.gen(function*() {
          yield* Merged.set("inner", 1)
          yield* Effect.provide(Merged.set("outer", 1), outer)
          yield* Effect.provide(Effect.void, Layer.mergeAll(Merged.layer({}), Layer.effectDiscard(Effect.void)))
        }))
        yield* Fiber.join(child)
        expect(yield* Merged.entries).toEqual([["inner", 1]])
      }).pipe(Merged.provide({}))
      expect(yield* Merged.entries).toEqual([["outer", 1]])
    }).pipe(Merged.provide({})))
})
