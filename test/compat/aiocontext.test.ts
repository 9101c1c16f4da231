/**
 * The test suite of AioContext for Python (tests/test_aiocontext.py and tests/test_asyncio.py, version 0.1), case by case.
 */
import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, Context, KeyNotFoundError, NoTaskError, NotAttachedError } from "aiocontext"
import { Deferred, Effect, Fiber, FiberRef, Scheduler } from "effect"
import { plain, sleep, thrown } from "../support.js"

class Dict extends Context.Tag("test/suite/Dict")<Dict>({ required: [] }) {}
class Other extends Context.Tag("test/suite/Other")<Other>() {}
const dict = compat.make(Dict)

const wrapped = Effect.sync(() => {
  try {
    compat.snapshot()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(BridgeError)
    return false
  }
})

const custom: Scheduler.Scheduler & { tasks: number } = {
  tasks: 0,
  shouldYield: Scheduler.defaultScheduler.shouldYield,
  scheduleTask(task, priority, fiber) {
    this.tasks++
    Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
  }
}

describe("the task factory, here compat.layer", () => {
  it.effect("wrap_task_factory", () =>
    Effect.gen(function*() {
      expect(yield* wrapped).toBe(false)
      expect(yield* Effect.provide(wrapped, compat.layer)).toBe(true)
    }))
  it.effect("wrap_task_factory_many", () =>
    Effect.gen(function*() {
      const twice = Effect.gen(function*() {
        expect(yield* Effect.provide(wrapped, compat.layer)).toBe(true)
        return yield* wrapped
      })
      expect(yield* Effect.provide(Effect.provide(twice, compat.layer), compat.layer)).toBe(true)
    }))
  it.effect("wrap_task_factory_custom", () =>
    Effect.gen(function*() {
      expect(yield* wrapped).toBe(false)
      const before = custom.tasks
      expect(yield* Effect.provide(Effect.zipRight(Effect.yieldNow(), wrapped), compat.layer)).toBe(true)
      expect(custom.tasks).toBeGreaterThan(before)
    }).pipe(Effect.withScheduler(custom)))
  it.effect("unwrap_task_factory", () =>
    Effect.gen(function*() {
      yield* Effect.provide(wrapped, compat.layer)
      expect(yield* wrapped).toBe(false)
    }))
  it.effect("unwrap_task_factory_many", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 3; i++) {
        yield* Effect.provide(wrapped, compat.layer)
        expect(yield* wrapped).toBe(false)
      }
    }))
  it.effect("unwrap_task_factory_custom", () =>
    Effect.gen(function*() {
      yield* Effect.provide(wrapped, compat.layer)
      expect(yield* wrapped).toBe(false)
      expect(yield* FiberRef.get(FiberRef.currentScheduler)).toBe(custom)
    }).pipe(Effect.withScheduler(custom)))
})

describe("the context, in Effect code", () => {
  const attached = Dict.provide({})
  it.effect("copy_func", () =>
    Effect.gen(function*() {
      class Chained extends Context.Tag("test/suite/Chained")<Chained>({ fork: "chain" }) {}
      const parentsLater = (tag: typeof Dict | typeof Chained) =>
        Effect.gen(function*() {
          const isSet = yield* Deferred.make<void>()
          const fiber = yield* Effect.fork(Effect.zipRight(Deferred.await(isSet), (tag as typeof Dict).has("key")))
          yield* (tag as typeof Dict).set("key", 1)
          yield* Deferred.succeed(isSet, undefined)
          return yield* Fiber.join(fiber)
        })
      expect(yield* attached(parentsLater(Dict))).toBe(false)
      expect(yield* parentsLater(Chained).pipe(Chained.provide({})) as Effect.Effect<boolean>).toBe(true)
    }))
  it.effect("get_data", () =>
    Effect.gen(function*() {
      yield* Dict.set("key1", "value1")
      expect(plain(yield* Dict.data)).toEqual({ key1: "value1" })
      const task = yield* Effect.fork(Dict.set("key2", "value2"))
      yield* Fiber.join(task)
      expect(plain(yield* Dict.dataOf(task))).toEqual({ key1: "value1", key2: "value2" })
      expect(plain(yield* Dict.data)).toEqual({ key1: "value1" })
    }).pipe(attached))
  it.effect("getitem", () =>
    Effect.gen(function*() {
      yield* Dict.set("key1", "value")
      expect(yield* Dict.getOrFail("key1")).toBe("value")
      expect(yield* Effect.flip(Dict.getOrFail("key2"))).toBeInstanceOf(KeyNotFoundError)
    }).pipe(attached))
  it.effect("setitem", () =>
    Effect.gen(function*() {
      yield* Dict.set("key", "value1")
      expect(yield* Dict.get("key")).toBe("value1")
      yield* Dict.set("key", "value2")
      expect(yield* Dict.get("key")).toBe("value2")
    }).pipe(attached))
  it.effect("delitem", () =>
    Effect.gen(function*() {
      expect(yield* Dict.delete("key")).toBe(false)
      yield* Dict.set("key", "value")
      expect(yield* Dict.delete("key")).toBe(true)
      expect(yield* Dict.has("key")).toBe(false)
    }).pipe(attached))
  it.effect("iter and len", () =>
    Effect.gen(function*() {
      yield* Dict.set("key1", "value1")
      yield* Dict.set("key2", "value2")
      expect([...yield* Dict.keys].toSorted()).toEqual(["key1", "key2"])
      expect(yield* Dict.size).toBe(2)
    }).pipe(attached))
})

describe("the context, in promise code", () => {
  const inTask = (name: string, f: () => unknown) => it(name, () => dict.run({}, async () => void await f()))
  inTask("getitem", () => {
    dict.set("key1", "value")
    expect(dict.getOrThrow("key1")).toBe("value")
    expect(() => dict.getOrThrow("key2")).toThrow(KeyNotFoundError)
  })
  inTask("setitem", () => {
    dict.set("key", "value1")
    dict.set("key", "value2")
    expect(dict.get("key")).toBe("value2")
  })
  inTask("delitem", () => {
    expect(dict.delete("key")).toBe(false)
    dict.set("key", "value")
    expect(dict.delete("key")).toBe(true)
    expect(dict.has("key")).toBe(false)
  })
  inTask("iter and len", () => {
    dict.set("key1", "value1")
    dict.set("key2", "value2")
    expect([...dict].map(([key]) => key).toSorted()).toEqual(["key1", "key2"])
    expect([...dict.keys()].toSorted()).toEqual(["key1", "key2"])
    expect([...dict.values()].toSorted()).toEqual(["value1", "value2"])
    const seen: Array<unknown> = []
    dict.forEach((value, key) => seen.push([key, value]))
    expect(seen.toSorted()).toEqual([...dict.entries()].toSorted())
    expect(dict.size).toBe(2)
    dict.clear()
    expect(dict.size).toBe(0)
  })
  it("missing_event_loop", () => {
    for (const operation of operations) {
      expect(operation).toThrow(NoTaskError)
    }
  })
  it.effect("missing_task_context", () =>
    Effect.gen(function*() {
      for (const operation of operations) {
        expect(yield* thrown(operation)).toBeInstanceOf(NotAttachedError)
      }
    }).pipe(Effect.provide(compat.layer)))
  const operations = [
    () => dict.toObject(),
    () => dict.get("key"),
    () => dict.set("key", "value"),
    () => dict.delete("key"),
    () => dict.keys(),
    () => dict.size
  ]
})

describe("attach and detach, here provide and leaving its region", () => {
  const count = Effect.map(Context.attached, (all) => all.length)
  it.effect("attach, twice too", () =>
    Effect.gen(function*() {
      expect(yield* count).toBe(0)
      expect(yield* count.pipe(Dict.provide({}))).toBe(1)
      expect(yield* count.pipe(Dict.provide({}), Other.provide({}))).toBe(2)
      expect(yield* count.pipe(Dict.provide({}), Dict.provide({}), Other.provide({}))).toBe(2)
    }))
  it.effect("detach, twice too", () =>
    Effect.gen(function*() {
      yield* Effect.gen(function*() {
        expect(yield* count.pipe(Other.provide({}), Other.provide({}))).toBe(2)
        expect(yield* count).toBe(1)
        expect(yield* count).toBe(1)
      }).pipe(Dict.provide({}))
      expect(yield* count).toBe(0)
    }))
  it.effect("get_loop_contexts", () =>
    Effect.gen(function*() {
      expect(yield* Context.attached).toEqual([])
      expect(yield* Context.attached.pipe(Dict.provide({}))).toEqual([Dict])
      expect(yield* Context.attached.pipe(Effect.provide(Dict.layer({})))).toEqual([Dict])
    }))
})

describe("asyncio's functions leave the parent as it was", () => {
  const update = async () => {
    await sleep(1)
    expect(dict.toObject()).toEqual({ key1: "value1" })
    dict.set("key1", "value2")
    dict.set("key2", "value2")
    await sleep(1)
    expect(dict.toObject()).toEqual({ key1: "value2", key2: "value2" })
  }
  const functions: Record<string, () => Promise<unknown>> = {
    ensure_future: () => compat.fork(update),
    wait_for: () => compat.timeout(update, "1 minute"),
    gather: () => compat.all([update, update])
  }
  for (const [name, call] of Object.entries(functions)) {
    it(`${name}, in a promise task`, () =>
      dict.run({}, async () => {
        dict.set("key1", "value1")
        await call()
        expect(dict.toObject()).toEqual({ key1: "value1" })
      }))
    it.live(`${name}, in a fiber's promise code`, () =>
      Effect.gen(function*() {
        yield* Dict.set("key1", "value1")
        yield* Effect.promise(call)
        expect(plain(yield* Dict.data)).toEqual({ key1: "value1" })
      }).pipe(Dict.provide({}), Effect.provide(compat.layer)))
  }
})

// Not here: test_wrap_task_factory_traceback. It pins that asyncio's debug mode keeps a task's source traceback; Effect's
// fibers have no such mode. test_chainmap_copy is in test/fork/chain.test.ts ("three deep").
