import { describe, expect, it } from "@effect/vitest"
import { Context, ForkError } from "aiocontext"
import { Deferred, Effect, Exit, Fiber, HashMap, Layer } from "effect"
import { plain } from "./support.js"

class Deep extends Context.Tag("test/strategies/Deep")<Deep>({ fork: Context.deepCopy }) {}
class Chain extends Context.Tag("test/strategies/Chain")<Chain>({ fork: Context.chain }) {}
class Share extends Context.Tag("test/strategies/Share")<Share>({ fork: Context.share }) {}
class Own extends Context.Tag("test/strategies/Own")<Own>({ fork: HashMap.filter((_, key) => key !== "secret") }) {}
class Throws extends Context.Tag("test/strategies/Throws")<Throws>({
  fork: () => {
    throw new Error("no children today")
  }
}) {}
class Wrong extends Context.Tag("test/strategies/Wrong")<Wrong>({ fork: (() => ({})) as never }) {}

const joined = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.flatMap(Effect.fork(self), Fiber.join)

describe("deepCopy", () => {
  it.effect("gives the child values of its own", () =>
    Effect.gen(function*() {
      const list = [1]
      yield* Deep.set("list", list)
      yield* joined(Effect.map(Deep.get("list"), (own) => (own as Array<number>).push(2)))
      expect(list).toEqual([1])
      expect(yield* Deep.get("list")).toBe(list)
    }).pipe(Deep.provide({})))

  it.effect("sees the seed in a fiber that never wrote", () =>
    Effect.gen(function*() {
      const list = yield* Deep.get("list")
      expect(yield* joined(Deep.get("list"))).toEqual(list)
      expect(yield* joined(Deep.get("list"))).not.toBe(list)
    }).pipe(Deep.provide({ list: [1] })))

  it.effect("copies a value that Effect holds to be equal to its copy", () =>
    Effect.gen(function*() {
      const date = new Date(0)
      yield* Deep.set("date", date)
      yield* joined(Effect.map(Deep.get("date"), (own) => (own as Date).setFullYear(2000)))
      expect(date.getTime()).toBe(0)
    }).pipe(Deep.provide({})))

  it.effect("keeps what two keys share", () =>
    Effect.gen(function*() {
      const value = {}
      yield* Deep.merge({ a: value, b: value })
      const [a, b] = yield* joined(Effect.all([Deep.get("a"), Deep.get("b")]))
      expect(a).toBe(b)
      expect(a).not.toBe(value)
    }).pipe(Deep.provide({})))

  it.effect("fails the fork where a value cannot be cloned, and names its key", () =>
    Effect.gen(function*() {
      yield* Deep.merge({ fine: 1, handler: () => 1 })
      const exit = yield* Effect.exit(Effect.fork(Effect.void))
      expect(exit).toMatchObject({ cause: { defect: { _tag: "ForkError", key: "handler", context: Deep.key } } })
      expect(plain(yield* Deep.data)).toMatchObject({ fine: 1 })
      yield* Deep.delete("handler")
      expect(yield* joined(Deep.get("fine"))).toBe(1)
    }).pipe(Deep.provide({})))
})

describe("chain", () => {
  it.effect("a child reads its own writes first, and its parent's current values behind them", () =>
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      yield* Chain.merge({ a: "parent's", b: "parent's" })
      const fiber = yield* Effect.fork(Effect.gen(function*() {
        yield* Chain.set("a", "child's")
        yield* Deferred.await(asked)
        return plain(yield* Chain.data)
      }))
      yield* Effect.yieldNow()
      yield* Chain.merge({ a: "parent's new", b: "parent's new" })
      yield* Deferred.succeed(asked, undefined)
      expect(yield* Fiber.join(fiber)).toEqual({ a: "child's", b: "parent's new" })
      expect(plain(yield* Chain.data)).toEqual({ a: "parent's new", b: "parent's new" })
    }).pipe(Chain.provide({})))

  it.effect("a child's deletes and clears touch its own writes only", () =>
    Effect.gen(function*() {
      yield* joined(Effect.gen(function*() {
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
      const [second, third] = yield* joined(Effect.gen(function*() {
        yield* Chain.set("key2", "value2")
        const third = yield* joined(Effect.zipRight(Chain.set("key3", "value3"), Chain.data))
        return [yield* Chain.data, third] as const
      }))
      expect(plain(yield* Chain.data)).toEqual({ key1: "value1" })
      expect(plain(second)).toEqual({ key1: "value1", key2: "value2" })
      expect(plain(third)).toEqual({ key1: "value1", key2: "value2", key3: "value3" })
    }).pipe(Chain.provide({})))

  it.effect("a child of an empty parent has a layer of its own", () =>
    Effect.gen(function*() {
      yield* joined(Chain.set("a", "child's"))
      expect(yield* Chain.size).toBe(0)
    }).pipe(Chain.provide({})))

  it.effect("sees the seed of a layer in a fiber that never wrote", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        Effect.zipRight(Deferred.await(written), Effect.all([Chain.get("a"), Chain.get("b")]))
      )
      yield* Effect.yieldNow()
      yield* Chain.set("b", 2)
      yield* Deferred.succeed(written, undefined)
      expect(yield* Fiber.join(fiber)).toEqual([1, 2])
    }).pipe(Effect.provide(Layer.mergeAll(Chain.layer({ a: 1 }), Share.layer({})))))
})

describe("share", () => {
  it.effect("parent and child are one map, whoever writes", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.gen(function*() {
        yield* Share.set("child", 1)
        yield* Deferred.succeed(written, undefined)
        yield* Deferred.await(asked)
        return plain(yield* Share.data)
      }))
      yield* Deferred.await(written)
      expect(yield* Share.get("child")).toBe(1)
      yield* Share.set("parent", 1)
      yield* Deferred.succeed(asked, undefined)
      expect(yield* Fiber.join(fiber)).toEqual({ seed: 1, child: 1, parent: 1 })
    }).pipe(Effect.provide(Share.layer({ seed: 1 }))))

  it.effect("two attachments are two maps", () =>
    Effect.gen(function*() {
      yield* Share.set("a", "outer")
      yield* Share.set("a", "inner").pipe(Share.provide({}))
      expect(yield* Share.get("a")).toBe("outer")
    }).pipe(Share.provide({})))
})

describe("a function of the parent's map", () => {
  it.effect("makes the child's, from the seed too", () =>
    Effect.gen(function*() {
      expect(plain(yield* joined(Own.data))).toEqual({ shown: 1 })
      yield* Own.set("other", 1)
      expect(plain(yield* joined(Own.data))).toEqual({ shown: 1, other: 1 })
      expect(yield* Own.get("secret")).toBe(1)
    }).pipe(Effect.provide(Own.layer({ secret: 1, shown: 1 }))))

  it.effect("fails the fork when it throws, or gives no map", () =>
    Effect.gen(function*() {
      for (const tag of [Throws, Wrong]) {
        const exit = yield* Effect.exit(Effect.fork(Effect.void)).pipe(tag.provide({ a: 1 }))
        const defect = Exit.isFailure(exit) && exit.cause._tag === "Die" ? exit.cause.defect : undefined
        expect(defect).toBeInstanceOf(ForkError)
        expect(String((defect as ForkError).message)).toContain(tag.key)
      }
    }))
})
