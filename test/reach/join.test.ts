import { describe, expect, it } from "@effect/vitest"
import { compat, type Context } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import { Effect, Fiber, Schema } from "effect"
import { bridged, inChild, plain } from "../support.js"

const optional = (policy: ContextSchema.Policy<number>) =>
  Schema.optionalWith(Schema.Number.pipe(ContextSchema.key(policy)), { exact: true })

const fields = {
  max: optional({ join: (parent = 0, child) => Math.max(parent, child) }),
  handed: optional({ join: "child" }),
  kept: optional({ join: "isolate" }),
  other: Schema.optionalWith(Schema.Number, { exact: true })
}

class Isolating extends ContextSchema.Tag<Isolating, "test/reach/Isolating">("test/reach/Isolating")(fields) {}
class Merging extends ContextSchema.Tag<Merging, "test/reach/Merging">("test/reach/Merging")(fields, {
  join: "merge"
}) {}
class Chained extends ContextSchema.Tag<Chained, "test/reach/Chained">("test/reach/Chained")(fields, {
  fork: "chain"
}) {}
class Deep extends ContextSchema.Tag<Deep, "test/reach/Deep">("test/reach/Deep")(fields, {
  fork: "deepCopy"
}) {}

const seed = { max: 5, handed: 1, kept: 1, other: 1 }
const changes = { max: 9, handed: 2, kept: 2, other: 2 }

/** What a parent has after a child made these changes and was joined. */
const after = <Self, Id extends string>(
  tag: Context.TagClass<Self, Id, Partial<typeof seed>>,
  inside: Effect.Effect<unknown, never, Self>
): Effect.Effect<object> =>
  Effect.zipRight(inChild(inside), Effect.map(tag.data, plain)).pipe(tag.provide(seed)) as Effect.Effect<object>

/** A context that tells what its join was asked. */
const asking = (name: string) => {
  const asked: Array<readonly [number | undefined, number]> = []
  class Asking extends ContextSchema.Tag<Asking>(`test/reach/asking/${name}`)({
    ...fields,
    max: optional({
      join: (parent, child) => {
        asked.push([parent, child])
        return child
      }
    })
  }) {}
  return { Asking, asked }
}

describe("a key's join", () => {
  it.effect("is the child's value, the parent's, or what a function makes of both", () =>
    Effect.gen(function*() {
      expect(yield* after(Isolating, Isolating.merge(changes))).toEqual({ max: 9, handed: 2, kept: 1, other: 1 })
      expect(yield* after(Isolating, Isolating.set("max", 3))).toEqual(seed)
    }))
  it.effect("goes before that of the context", () =>
    Effect.gen(function*() {
      expect(yield* after(Merging, Merging.merge(changes))).toEqual({ max: 9, handed: 2, kept: 1, other: 2 })
      expect(yield* after(Merging, Merging.set("max", 3))).toEqual(seed)
    }))
  it.effect("acts under deepCopy and chain too", () =>
    Effect.gen(function*() {
      expect(yield* after(Deep, Deep.merge(changes))).toEqual({ max: 9, handed: 2, kept: 1, other: 1 })
      expect(yield* after(Chained, Chained.merge(changes))).toEqual({ max: 9, handed: 2, kept: 1, other: 1 })
      expect(yield* after(Chained, Chained.set("max", 3))).toEqual(seed)
    }))
  it.effect("under chain sees the value that stands behind the parent's own", () =>
    Effect.gen(function*() {
      const inner = Effect.zipRight(inChild(Chained.set("max", 3)), Chained.get("max"))
      expect(yield* inChild(inner)).toBe(5)
    }).pipe(Chained.provide(seed)))
  it.effect("hands on a deletion with the child's value, and a function is not asked about one", () =>
    Effect.gen(function*() {
      const { Asking, asked } = asking("deletion")
      const deleting = Effect.all([Asking.delete("max"), Asking.delete("handed"), Asking.delete("kept")])
      expect(yield* after(Asking, deleting)).toEqual({ max: 5, kept: 1, other: 1 })
      expect(asked).toEqual([])
    }))
  it.effect("is not asked for a key that the child did not change", () =>
    Effect.gen(function*() {
      const { Asking, asked } = asking("unchanged")
      expect(yield* after(Asking, Asking.set("handed", 7))).toEqual({ ...seed, handed: 7 })
      expect(yield* after(Asking, Effect.zipRight(Asking.set("max", 7), Asking.set("max", 5)))).toEqual(seed)
      expect(asked).toEqual([])
    }))
  it.effect("is asked with no parent's value where the parent has none", () => {
    const { Asking, asked } = asking("none")
    return Effect.gen(function*() {
      yield* inChild(Asking.set("max", 2))
      expect(asked).toEqual([[undefined, 2]])
      expect(yield* Asking.get("max")).toBe(2)
    }).pipe(Asking.provide({}))
  })
  it.effect("joins the children of Effect.all one after the other, and keeps what the parent wrote meanwhile", () =>
    Effect.gen(function*() {
      const child = yield* Effect.fork(Isolating.set("max", 7))
      yield* Isolating.set("handed", 4)
      yield* Fiber.join(child)
      yield* Effect.all([Isolating.set("max", 9), Isolating.set("max", 8), Isolating.delete("kept")], {
        concurrency: "unbounded"
      })
      expect(plain(yield* Isolating.data)).toEqual({ max: 9, handed: 4, kept: 1, other: 1 })
    }).pipe(Isolating.provide(seed)))
  it.effect("that fails is the parent's failure to join", () =>
    Effect.gen(function*() {
      class Throwing extends ContextSchema.Tag<Throwing>("test/reach/ThrowingJoin")({
        n: Schema.Number.pipe(ContextSchema.key({
          join: () => {
            throw new Error("no join")
          }
        }))
      }) {}
      const exit = yield* Effect.exit(inChild(Throwing.set("n", 2)).pipe(Throwing.provide({ n: 1 })))
      expect(exit).toMatchObject({ cause: { _tag: "Die", defect: { message: "no join" } } })
    }))
})

describe("a key's join, of promise children", () => {
  const map = compat.make(Isolating)

  it("acts on what compat.fork, all and timeout ran", () =>
    map.run(seed, async () => {
      await compat.fork(async () => map.set("max", 7))
      await compat.all([async () => map.set("handed", 7), async () => map.set("kept", 7)])
      await compat.timeout(async () => map.set("max", 6), "1 minute")
      expect(map.toObject()).toEqual({ max: 7, handed: 7, kept: 1, other: 1 })
      await compat.fork(async () => void map.delete("handed"))
      expect(map.toObject()).toEqual({ max: 7, kept: 1, other: 1 })
    }))
  it("acts on what an effect of runPromise changed", () =>
    map.run(seed, async () => {
      await map.runPromise(Isolating.merge(changes))
      expect(map.toObject()).toEqual({ max: 9, handed: 2, kept: 1, other: 1 })
    }))
  it("hands on nothing of a child that failed", () =>
    map.run(seed, async () => {
      await expect(compat.fork(async () => {
        map.set("max", 9)
        throw new Error("failed")
      })).rejects.toThrow("failed")
      expect(map.toObject()).toEqual(seed)
    }))
  it.effect("acts on those of a fiber's promise code", () =>
    Effect.gen(function*() {
      yield* Effect.promise(() => compat.fork(async () => map.set("max", 8)))
      expect(yield* Isolating.get("max")).toBe(8)
    }).pipe(Isolating.provide(seed), bridged))
})
