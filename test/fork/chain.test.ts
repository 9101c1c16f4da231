import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { inChild, often, plain, withResolvers } from "../support.js"

class Chain extends Context.Tag("test/fork/chain/Chain")<Chain>({ fork: "chain" }) {}
const chain = compat.make(Chain)

describe("chain", () => {
  it.effect("a child reads its own writes first, and its parent's current values behind them", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      yield* Chain.merge({ a: "parent's", b: "parent's" })
      const child = yield* Effect.fork(Effect.gen(function*() {
        yield* Chain.set("a", "child's")
        yield* Deferred.await(asked)
        return plain(yield* Chain.data)
      }))
      yield* Chain.merge({ a: "parent's new", b: "parent's new" })
      yield* Deferred.succeed(asked, undefined)
      expect(yield* Fiber.join(child)).toEqual({ a: "child's", b: "parent's new" })
      expect(plain(yield* Chain.data)).toEqual({ a: "parent's new", b: "parent's new" })
    }).pipe(Chain.provide({})))

  it.effect("a child's deletes and clears touch its own writes only", () =>
    Effect.gen(function*() {
      yield* inChild(Effect.gen(function*() {
        expect(yield* Chain.delete("a")).toBe(false)
        expect(yield* Chain.get("a")).toBe(1)
        yield* Chain.set("a", 2)
        expect(yield* Chain.delete("a")).toBe(true)
        expect(yield* Chain.get("a")).toBe(1)
        yield* Chain.set("b", 2)
        yield* Chain.clear
        expect(plain(yield* Chain.data)).toEqual({ a: 1 })
      }))
      expect(plain(yield* Chain.data)).toEqual({ a: 1 })
    }).pipe(Chain.provide({ a: 1 })))

  it.effect("three deep: each sees all above it, and none sees below", () =>
    Effect.gen(function*() {
      yield* Chain.set("key1", "value1")
      const [second, third] = yield* inChild(Effect.gen(function*() {
        yield* Chain.set("key2", "value2")
        const third = yield* inChild(Effect.zipRight(Chain.set("key3", "value3"), Chain.data))
        return [yield* Chain.data, third] as const
      }))
      expect(plain(yield* Chain.data)).toEqual({ key1: "value1" })
      expect(plain(second)).toEqual({ key1: "value1", key2: "value2" })
      expect(plain(third)).toEqual({ key1: "value1", key2: "value2", key3: "value3" })
    }).pipe(Chain.provide({})))

  it.effect("a child has a layer of its own, though its parent's is empty too", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.gen(function*() {
        yield* Chain.set("mine", 1)
        yield* Deferred.await(asked)
        return yield* Chain.get("parent's")
      }))
      yield* Chain.set("parent's", 2)
      yield* Deferred.succeed(asked, undefined)
      expect(yield* Fiber.join(child)).toBe(2)
      expect(plain(yield* Chain.data)).toEqual({ "parent's": 2 })
      expect(yield* inChild(Chain.get("mine"))).toBe(undefined)
    }).pipe(Chain.provide({})))

  it.effect("a child sees the seed of a layer, in a fiber that never wrote", () =>
    Effect.gen(function*() {
      class Other extends Context.Tag("test/fork/chain/Other")<Other>() {}
      yield* Effect.gen(function*() {
        const written = yield* Deferred.make<void>()
        const child = yield* Effect.fork(
          Effect.zipRight(Deferred.await(written), Effect.all([Chain.get("a"), Chain.get("b")]))
        )
        yield* Chain.set("b", 2)
        yield* Deferred.succeed(written, undefined)
        expect(yield* Fiber.join(child)).toEqual([1, 2])
      }).pipe(Effect.provide(Layer.mergeAll(Chain.layer({ a: 1 }), Other.layer({}))))
    }))
})

describe("a chained child of a task that has written nothing itself", () => {
  it.effect("sees what that task writes later, in fibers", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const seen = yield* inChild(Effect.gen(function*() {
        const grandchild = yield* Effect.fork(Effect.zipRight(Deferred.await(written), Chain.get("key")))
        yield* Chain.set("key", "parent's")
        yield* Deferred.succeed(written, undefined)
        return yield* Fiber.join(grandchild)
      }))
      expect(seen).toBe("parent's")
    }).pipe(Chain.provide({})))

  it("sees what that task writes later, in promise tasks", () =>
    chain.run({}, () =>
      compat.fork(async () => {
        const written = withResolvers()
        const grandchild = compat.fork(async () => {
          await written.promise
          return chain.get("key")
        })
        chain.set("key", "parent's")
        written.resolve()
        expect(await grandchild).toBe("parent's")
      })))
})

describe("a line of chained tasks", () => {
  it.effect("reads through its generations what the first one has now, and writes to none of them", () =>
    Effect.gen(function*() {
      const generation = (left: number): Effect.Effect<ReadonlyArray<unknown>, never, Chain> =>
        left === 0
          ? Effect.zipRight(Effect.yieldNow(), Effect.all([Chain.get("first"), Chain.get("last"), Chain.size]))
          : Chain.set("last", left).pipe(
            Effect.zipRight(Effect.forkDaemon(generation(left - 1))),
            Effect.flatMap(Fiber.join)
          )
      const line = yield* Effect.fork(generation(often(1000, 10)))
      yield* Chain.set("first", "now")
      expect(yield* Fiber.join(line)).toEqual(["now", 1, 2])
      expect(yield* Chain.has("last")).toBe(false)
    }).pipe(Chain.provide({ first: "then" })))
})
