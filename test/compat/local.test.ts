import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, context, NoTaskError } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { vi } from "vitest"
import { collectGarbage } from "../support.js"

// the tests of this file share one event loop with its storms
vi.setConfig({ testTimeout: 60_000 })

const { all, fork, timeout } = compat

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const bridged = Effect.provide(compat.layer)

const inTask = <A>(f: () => A): A => context.run({}, f)

// -----------------------------------------------------------------------------------------------------------------
// tests/test_local.py
// -----------------------------------------------------------------------------------------------------------------

describe("the library's own tests", () => {
  for (const strict of [true, false]) {
    const title = strict ? "test_local" : "test_local_non_strict_mode"
    it(`${title}, in promise tasks`, () =>
      inTask(async () => {
        const mine = local<{ value: string }>({ strict })
        const log1: Array<unknown> = []
        const log2: Array<unknown> = []
        const { promise: future1, resolve: wake1 } = gate()
        const { promise: future2, resolve: wake2 } = gate()
        await all([
          async () => {
            log1.push(Object.entries(mine))
            await future1
            log1.push(Object.entries(mine))
            mine.value = "Task 1"
            log1.push(Object.entries(mine))
            wake2()
          },
          async () => {
            log2.push(Object.entries(mine))
            mine.value = "Task 2"
            wake1()
            await future2
            log2.push(Object.entries(mine))
          }
        ])
        expect(log1).toEqual([[], [], [["value", "Task 1"]]])
        expect(log2).toEqual([[], [["value", "Task 2"]]])
      }))

    it(`${title}, in fibers`, () =>
      Effect.gen(function*() {
        const mine = local<{ value: string }>({ strict })
        const log1: Array<unknown> = []
        const log2: Array<unknown> = []
        const future1 = yield* Deferred.make<void>()
        const future2 = yield* Deferred.make<void>()
        yield* Effect.all([
          Effect.gen(function*() {
            log1.push(Object.entries(mine))
            yield* Deferred.await(future1)
            log1.push(Object.entries(mine))
            mine.value = "Task 1"
            log1.push(Object.entries(mine))
            yield* Deferred.succeed(future2, undefined)
          }),
          Effect.gen(function*() {
            log2.push(Object.entries(mine))
            mine.value = "Task 2"
            yield* Deferred.succeed(future1, undefined)
            yield* Deferred.await(future2)
            log2.push(Object.entries(mine))
          })
        ], { concurrency: "unbounded" })
        expect(log1).toEqual([[], [], [["value", "Task 1"]]])
        expect(log2).toEqual([[], [["value", "Task 2"]]])
      }).pipe(bridged, Effect.runPromise))
  }

  it("test_local_outside_of_task", () => {
    const mine = local<{ foo: number }>()
    expect(() => {
      mine.foo = 1
    }).toThrow(NoTaskError)
  })

  it("test_local_outside_of_task_non_strict_mode", () => {
    const mine = local<{ foo: number }>({ strict: false })
    mine.foo = 1
    expect(mine.foo).toBe(1)
  })
})

const gate = () => {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

// -----------------------------------------------------------------------------------------------------------------
// README.rst
// -----------------------------------------------------------------------------------------------------------------

describe("the caveats of the README", () => {
  it("a local used outside every task throws", () => {
    expect(() => local<{ user: string }>().user).toThrow(/^local\["user"\]: no task is running here/)
  })

  const cases: Record<string, (f: () => Promise<unknown>) => Promise<unknown>> = {
    "compat.fork": (f) => fork(f),
    "compat.all": async (f) => (await all([f]))[0],
    "compat.timeout": (f) => timeout(f, "1 second"),
    "context.run": (f) => context.run({}, f),
    "compat.runPromise": (f) => compat.runPromise(Effect.promise(f)),
    "compat.runFork": (f) => Effect.runPromise(Fiber.join(compat.runFork(Effect.promise(f)))),
    "Effect.fork": (f) => compat.runPromise(Effect.flatMap(Effect.fork(Effect.promise(f)), Fiber.join)),
    "Effect.all with concurrency": (f) =>
      compat.runPromise(Effect.all([Effect.promise(f), Effect.void], { concurrency: 2 })).then(([seen]) => seen),
    "Effect.timeout": (f) => compat.runPromise(Effect.timeout(Effect.promise(f), "1 second")),
    "Effect.race": (f) => compat.runPromise(Effect.race(Effect.promise(f), Effect.never))
  }
  for (const [title, start] of Object.entries(cases)) {
    it(`${title} starts a new task with its own storage`, () =>
      inTask(async () => {
        const mine = local<{ user: string }>()
        mine.user = "parent"
        const child = await start(async () => {
          const before = { ...mine }
          mine.user = "child"
          await sleep(1)
          return [before, mine.user]
        })
        expect(child).toEqual([{}, "child"])
        expect(mine.user).toBe("parent")
      }))
  }

  it("an async function that is awaited and not forked is the same task", () =>
    inTask(async () => {
      const mine = local<{ user: string; seen: boolean }>()
      mine.user = "ann"
      const sub = async () => {
        await sleep(1)
        mine.seen = true
        return mine.user
      }
      expect(await sub()).toBe("ann")
      expect(mine.seen).toBe(true)
    }))

  it("sequential Effect code and the promise code that it calls are the same task", () =>
    Effect.gen(function*() {
      const mine = local<{ user: string }>()
      mine.user = "ann"
      yield* Effect.sleep(1)
      expect(mine.user).toBe("ann")
      yield* Effect.promise(async () => {
        expect(mine.user).toBe("ann")
        await sleep(1)
        mine.user = "bob"
      })
      expect(mine.user).toBe("bob")
      yield* Effect.all([Effect.sync(() => void (mine.user = "cat")), Effect.void])
      expect(mine.user).toBe("cat")
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// the object
// -----------------------------------------------------------------------------------------------------------------

describe("the running task's properties are seen by", () => {
  const sym = Symbol("sym")
  const filled = () => {
    const mine = local<Record<PropertyKey, unknown>>()
    mine.a = 1
    mine["b"] = { deep: true }
    mine[sym] = 3
    return mine
  }
  const cases: Record<string, (mine: Record<PropertyKey, unknown>) => void> = {
    "in": (mine) => expect(["a" in mine, "c" in mine, sym in mine]).toEqual([true, false, true]),
    "delete": (mine) => {
      expect(delete mine.a).toBe(true)
      expect(delete mine.a).toBe(true)
      expect(["a" in mine, mine.a, Object.keys(mine)]).toEqual([false, undefined, ["b"]])
    },
    "Object.keys, values and entries": (mine) => {
      expect(Object.keys(mine)).toEqual(["a", "b"])
      expect(Object.values(mine)).toEqual([1, { deep: true }])
      expect(Object.entries(mine)).toEqual([["a", 1], ["b", { deep: true }]])
    },
    "Reflect.ownKeys": (mine) => expect(Reflect.ownKeys(mine)).toEqual(["a", "b", sym]),
    "spread and Object.assign": (mine) => {
      expect({ ...mine }).toEqual({ a: 1, b: { deep: true }, [sym]: 3 })
      expect(Object.assign(mine, { c: 4 }).c).toBe(4)
      expect(mine.c).toBe(4)
    },
    "JSON.stringify": (mine) => expect(JSON.stringify(mine)).toBe("{\"a\":1,\"b\":{\"deep\":true}}"),
    "for in": (mine) => {
      const keys: Array<string> = []
      for (const key in mine) {
        keys.push(key)
      }
      expect(keys).toEqual(["a", "b"])
    },
    "destructuring": ({ a, ...rest }) => expect([a, rest]).toEqual([1, { b: { deep: true }, [sym]: 3 }]),
    "Object.hasOwn and descriptors": (mine) => {
      expect([Object.hasOwn(mine, "a"), Object.hasOwn(mine, "c")]).toEqual([true, false])
      expect(Object.getOwnPropertyDescriptor(mine, "a")).toEqual({
        value: 1,
        writable: true,
        enumerable: true,
        configurable: true
      })
    },
    "an update in place": (mine) => {
      mine.n = 0
      mine.n = (mine.n as number) + 1
      expect(mine.n).toBe(1)
    }
  }
  for (const [title, check] of Object.entries(cases)) {
    it(title, () => inTask(() => check(filled())))
  }
})

describe("a local", () => {
  it("is told from every other", () =>
    inTask(() => {
      const one = local<{ n: number }>()
      const two = local<{ n: number }>()
      one.n = 1
      expect([one.n, two.n]).toEqual([1, undefined])
    }))

  it("has a fresh init() in each task, made once a task", () =>
    inTask(async () => {
      let made = 0
      const mine = local({ init: () => ({ list: [] as Array<string>, id: ++made }) })
      mine.list.push("parent")
      const child = await fork(async () => {
        mine.list.push("child")
        await sleep(1)
        return { ...mine }
      })
      expect(child).toEqual({ list: ["child"], id: 2 })
      expect({ ...mine }).toEqual({ list: ["parent"], id: 1 })
      expect(made).toBe(2)
    }))

  it("has what is left after a delete, and not init() again", () =>
    inTask(() => {
      const mine = local<{ n?: number }>({ init: () => ({ n: 1 }) })
      delete mine.n
      expect("n" in mine).toBe(false)
    }))

  it("tries init() again in a task where it threw", () =>
    inTask(() => {
      let fails = true
      const mine = local({
        init: () => {
          if (fails) {
            throw new Error("not yet")
          }
          return { n: 1 }
        }
      })
      expect(() => mine.n).toThrow("not yet")
      fails = false
      expect(mine.n).toBe(1)
    }))

  it("that is not strict has a bag of its own outside tasks, and not one of tasks", async () => {
    const one = local<{ n: number }>({ strict: false })
    const two = local<{ n: number }>({ strict: false, init: () => ({ n: 7 }) })
    one.n = 1
    expect([one.n, two.n]).toEqual([1, 7])
    await inTask(async () => {
      expect([one.n, two.n]).toEqual([undefined, 7])
      one.n = 2
      two.n = 8
    })
    expect([one.n, two.n]).toEqual([1, 7])
    delete (one as { n?: number }).n
    expect(Object.keys(one)).toEqual([])
  })

  it("keeps __proto__ and its like as properties, and no prototype is touched", () =>
    inTask(() => {
      const mine = local<Record<string, unknown>>()
      Object.defineProperty(mine, "__proto__", {
        value: { polluted: true },
        writable: true,
        enumerable: true,
        configurable: true
      })
      mine["constructor"] = "own"
      expect(Object.keys(mine)).toEqual(["__proto__", "constructor"])
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
      expect(mine["polluted"]).toBeUndefined()
      expect(Object.getPrototypeOf(mine)).toBe(Object.prototype)
    }))
})

describe("left-over code", () => {
  it("of a fiber's step keeps the properties of that moment, and what it sets stays its own", () =>
    Effect.gen(function*() {
      const mine = local<{ user: string }>()
      const { promise, resolve } = gate()
      let leftOver: Promise<unknown> = Promise.resolve()
      mine.user = "then"
      yield* Effect.promise(async () => {
        leftOver = promise.then(() => {
          const seen = mine.user
          mine.user = "left over"
          return [seen, mine.user]
        })
      })
      mine.user = "now"
      resolve()
      expect(yield* Effect.promise(() => leftOver)).toEqual(["then", "left over"])
      expect(mine.user).toBe("now")
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// many tasks
// -----------------------------------------------------------------------------------------------------------------

describe("1,000 tasks with 10 children", () => {
  const roots = Array.from({ length: 1000 }, (_, n) => `r-${n}`)
  const children = Array.from({ length: 10 }, (_, n) => n)

  it("see their own values only, in promise tasks", () =>
    inTask(async () => {
      const mine = local<{ id: string }>()
      const child = (id: string) => async () => {
        const before = mine.id
        mine.id = id
        await sleep(Math.random() * 10)
        return [before, mine.id]
      }
      const root = (id: string) => async () => {
        mine.id = id
        const seen = await all(children.map((n) => child(`${id}/${n}`)))
        return [mine.id, seen]
      }
      expect(await all(roots.map(root))).toEqual(
        roots.map((id) => [id, children.map((n) => [undefined, `${id}/${n}`])])
      )
    }))

  it("see their own values only, in fibers that wake each other", () =>
    Effect.gen(function*() {
      const mine = local<{ id: string }>()
      const queue = yield* Queue.unbounded<number>()
      const child = (id: string) =>
        Effect.gen(function*() {
          const before = mine.id
          mine.id = id
          yield* Queue.take(queue)
          const middle = mine.id
          yield* Queue.offer(queue, 1)
          yield* Effect.promise(() => Promise.resolve())
          return [before, middle, mine.id]
        })
      const root = (id: string) =>
        Effect.gen(function*() {
          mine.id = id
          const seen = yield* Effect.forEach(children, (n) => child(`${id}/${n}`), { concurrency: "unbounded" })
          return [mine.id, seen]
        })
      const storm = yield* Effect.fork(Effect.forEach(roots, root, { concurrency: "unbounded" }))
      yield* Queue.offer(queue, 1)
      expect(yield* Fiber.join(storm)).toEqual(
        roots.map((id) => [id, children.map((n) => [undefined, `${id}/${n}`, `${id}/${n}`])])
      )
    }).pipe(bridged, Effect.runPromise))
})

describe("when tasks are gone nothing of them is kept", () => {
  class Payload {
    readonly bytes = new Uint8Array(1024)
  }

  const collected = async (refs: ReadonlyArray<WeakRef<object>>): Promise<number> => {
    for (let attempt = 0; attempt < 20; attempt++) {
      await sleep(5)
      collectGarbage()
      if (refs.every((ref) => ref.deref() === undefined)) {
        break
      }
    }
    return refs.filter((ref) => ref.deref() === undefined).length
  }

  it("of 500 promise tasks, while their parent lives", () =>
    inTask(async () => {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const use = async () => {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        await Promise.resolve()
      }
      await all(Array.from({ length: 500 }, () => use))
      expect(await collected(refs)).toBe(500)
    }))

  it("of 500 fibers, while their parent lives", () =>
    Effect.gen(function*() {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const use = Effect.gen(function*() {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        yield* Effect.yieldNow()
      })
      yield* Effect.forEach(Array.from({ length: 500 }), () => use, { concurrency: "unbounded" })
      expect(yield* Effect.promise(() => collected(refs))).toBe(500)
    }).pipe(bridged, Effect.runPromise))

  it("of a promise task, while a child that it started lives", async () => {
    const mine = local<{ payload: Payload }>()
    const refs: Array<WeakRef<object>> = []
    const { promise, resolve } = gate()
    const child = inTask(() => {
      mine.payload = new Payload()
      refs.push(new WeakRef(mine.payload))
      return fork(() => promise.then(() => mine.payload))
    })
    expect(await collected(refs)).toBe(1)
    resolve()
    expect(await child).toBeUndefined()
  })

  it("of a fiber, while a child that it started lives", () =>
    Effect.gen(function*() {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const { promise, resolve } = gate()
      const parent = Effect.gen(function*() {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        return yield* Effect.forkDaemon(Effect.promise(() => promise.then(() => mine.payload)))
      })
      const child = yield* Effect.flatten(Effect.fork(parent))
      expect(yield* Effect.promise(() => collected(refs))).toBe(1)
      resolve()
      expect(yield* Fiber.join(child)).toBeUndefined()
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// misuse
// -----------------------------------------------------------------------------------------------------------------

describe("misuse", () => {
  it("outside every task throws, whatever is done", () => {
    const mine = local<{ user: string }>()
    const uses: Array<() => unknown> = [
      () => mine.user,
      () => mine.user = "ann",
      () => "user" in mine,
      () => delete mine.user,
      () => Object.keys(mine),
      () => ({ ...mine }),
      () => JSON.stringify(mine),
      () => Object.getOwnPropertyDescriptor(mine, "user"),
      () => Object.defineProperty(mine, "user", { value: "ann", writable: true, enumerable: true, configurable: true })
    ]
    for (const use of uses) {
      expect(use).toThrow(NoTaskError)
    }
  })

  it("in a fiber outside compat.layer is a BridgeError, at once, strict or not", () => {
    for (const strict of [true, false]) {
      const mine = local<{ user: string }>({ strict })
      const seen = Effect.runSync(Effect.flip(Effect.try({ try: () => mine.user, catch: (error) => error })))
      expect(seen).toBeInstanceOf(BridgeError)
    }
  })

  it("cannot give a local another prototype, nor freeze it", () =>
    inTask(() => {
      const mine = local<{ user: string }>()
      mine.user = "ann"
      expect(() => Object.setPrototypeOf(mine, null)).toThrow(/A local has no prototype of its own/)
      expect(() => Object.freeze(mine)).toThrow(/A local cannot be frozen/)
      expect(() => Object.seal(mine)).toThrow(TypeError)
      expect(() => Object.preventExtensions(mine)).toThrow(TypeError)
      expect(mine.user).toBe("ann")
      expect([Object.isFrozen(mine), Object.isExtensible(mine)]).toEqual([false, true])
    }))

  it("cannot define getters, nor fixed properties", () =>
    inTask(() => {
      const mine = local<{ user: string }>()
      expect(() => Object.defineProperty(mine, "user", { get: () => "ann" })).toThrow(/local\["user"\] = value/)
      expect(() => Object.defineProperty(mine, "user", { value: "ann" })).toThrow(/plain values/)
      expect("user" in mine).toBe(false)
    }))

  it("of the options is told at once", () => {
    expect(() => local(null as never)).toThrow(/local takes options/)
    expect(() => local({ init: 7 as never })).toThrow(/init is a function of nothing/)
    expect(() => local({ strict: "no" as never })).toThrow(/strict is true or false/)
  })

  it("of init is told at the first use", () =>
    inTask(() => {
      expect(() => local({ init: (() => 7) as never }).valueOf()).toThrow(/init returns an object of properties/)
      expect(() => local({ init: async () => ({ n: 1 }) }).valueOf()).toThrow(/returned a promise/)
      const cyclic: { n: number } = local({ init: () => ({ n: cyclic.n + 1 }) })
      expect(() => cyclic.n).toThrow(/init uses the local/)
    }))
})

// Of the library's own tests and documented behaviour these have no counterpart:
//
// - `object.__getattribute__(mylocal, "_local__impl").dicts == {}`, the check that nothing is left: there is no such table.
//   The tests with a garbage collection stand for it.
// - `local(loop=…)`: JavaScript has one event loop.
// - a subclass with `__init__`: `init` stands for it.
// - AttributeError for a missing attribute, and for deleting one: a missing property is `undefined`, and `delete` says true.
// - a non-strict local outside tasks shares one dict with all others there: here each has its own bag.
