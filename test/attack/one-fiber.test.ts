import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Exit, Option, Scope } from "effect"

// One fiber is one task

class Plain extends Context.Tag("attack/one-fiber/Plain")<Plain>() {}
class Chained extends Context.Tag("attack/one-fiber/Chained")<Chained>({ fork: Context.chain }) {}
class Shared extends Context.Tag("attack/one-fiber/Shared")<Shared>({ fork: Context.share }) {}
class Copied extends Context.Tag("attack/one-fiber/Copied")<Copied>({ fork: Context.deepCopy }) {}
class Merged extends Context.Tag("attack/one-fiber/Merged")<Merged>({ join: "merge" }) {}

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
    describe(`one fiber is one task, with ${strategy} and ${how}`, () => {
      it.effect("a scope's finalizer leaves what was set since it was added", () =>
        region(Effect.gen(function*() {
          yield* Tag.set("a", 1)
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.void)
            yield* Tag.set("a", 2)
          }))
          expect(yield* Tag.get("a")).toBe(2)
        })))

      it.effect("a scope's finalizer sees what the fiber has set since, and what it sets stays", () =>
        region(Effect.gen(function*() {
          yield* Tag.set("a", 1)
          const seen: Array<unknown> = []
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.acquireRelease(Effect.void, () =>
              Effect.gen(function*() {
                seen.push(yield* Tag.get("a"))
                yield* Tag.set("a", 3)
                yield* Tag.set("finalized", true)
              }))
            yield* Tag.set("a", 2)
          }))
          expect(seen).toEqual([2])
          expect(yield* Tag.get("a")).toBe(3)
          expect(yield* Tag.get("finalized")).toBe(true)
        })))

      it.effect("a finalizer that undoes what was set undoes it", () =>
        region(Effect.gen(function*() {
          yield* Tag.set("a", 1)
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.zipRight(Tag.set("a", 1), Tag.delete("transaction")))
            yield* Tag.set("a", 2)
            yield* Tag.set("transaction", "t-1")
          }))
          expect(yield* Tag.entries).toEqual([["a", 1]])
        })))

      it.effect("finalizers in finalizers, last added first, are one line of code", () =>
        region(Effect.gen(function*() {
          const step = (name: string) =>
            Tag.update("steps", (steps) => [...(Option.getOrElse(steps, () => []) as Array<string>), name])
          yield* Tag.set("steps", [])
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer(() => step("outer"))
            yield* Effect.addFinalizer(() =>
              Effect.scoped(Effect.gen(function*() {
                yield* step("middle, begun")
                yield* Effect.addFinalizer(() => step("inner"))
                yield* step("middle, done")
              }))
            )
            yield* step("body")
          }))
          expect(yield* Tag.get("steps")).toEqual(["body", "middle, begun", "middle, done", "inner", "outer"])
        })))

      it.effect("a finalizer that runs after its region has the region's map, and leaves the outer one alone", () =>
        region(Effect.gen(function*() {
          const scope = yield* Scope.make()
          const seen: Array<unknown> = []
          yield* Tag.set("where", "outer")
          yield* Effect.gen(function*() {
            yield* Tag.set("where", "inner")
            yield* Effect.addFinalizer(() =>
              Effect.gen(function*() {
                seen.push(yield* Tag.get("where"))
                yield* Tag.set("where", "finalizer")
              })
            )
          }).pipe(Tag.provide({}), Scope.extend(scope))
          yield* Tag.set("where", "later")
          yield* Scope.close(scope, Exit.void)
          expect(seen).toEqual(["inner"])
          expect(yield* Tag.get("where")).toBe("later")
        })))

      it.effect("providing a runtime leaves what was set before", () =>
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

describe("a finalizer's imperative code", () => {
  const plain = compat.make(Plain)
  it.live("reads and writes the fiber's map", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.addFinalizer(() =>
          Effect.promise(async () => {
            await Promise.resolve()
            seen.push(plain.get("a"))
            plain.set("a", 2)
          })
        )
        yield* Plain.set("a", 1)
      }))
      expect(seen).toEqual([1])
      expect(yield* Plain.get("a")).toBe(2)
    }).pipe(Plain.provide({}), Effect.provide(compat.layer)))
})
