import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Exit, Scope } from "effect"
import { bridged } from "../support.js"

class Plain extends Context.Tag("test/region/finalizers/Plain")<Plain>() {}
class Chained extends Context.Tag("test/region/finalizers/Chained")<Chained>({ fork: "chain" }) {}
class Shared extends Context.Tag("test/region/finalizers/Shared")<Shared>({ fork: "share" }) {}
class Copied extends Context.Tag("test/region/finalizers/Copied")<Copied>({ fork: "deepCopy" }) {}
class Merged extends Context.Tag("test/region/finalizers/Merged")<Merged>({ join: "merge" }) {}

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
    describe(`a scope's finalizers, with ${strategy} and ${how}`, () => {
      it.effect("leave what was set since they were added", () =>
        region(Effect.gen(function*() {
          yield* Tag.set("a", 1)
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.void)
            yield* Tag.set("a", 2)
          }))
          expect(yield* Tag.get("a")).toBe(2)
        })))

      it.effect("see what the fiber has set since, and what they set stays", () =>
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

      it.effect("undo what was set, where they say so", () =>
        region(Effect.gen(function*() {
          yield* Tag.set("a", 1)
          yield* Effect.scoped(Effect.gen(function*() {
            yield* Effect.addFinalizer(() => Effect.zipRight(Tag.set("a", 1), Tag.delete("transaction")))
            yield* Tag.set("a", 2)
            yield* Tag.set("transaction", "t-1")
          }))
          expect(yield* Tag.entries).toEqual([["a", 1]])
        })))

      it.effect("that add finalizers are one line of code, last added first", () =>
        region(Effect.gen(function*() {
          const step = (name: string) => Tag.update("steps", (steps) => [...(steps as Array<string>), name])
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

      it.effect("that run after their region have the map of the fiber that runs them", () =>
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
          expect(seen).toEqual(["later"])
          expect(yield* Tag.get("where")).toBe("finalizer")
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
    }).pipe(Plain.provide({}), bridged))
})
