import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, Context, context, ForkError, NoTaskError } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { chainmapTaskFactory, copyingTaskFactory, taskFactory } from "aiocontext/compat/aiotask"
import { Deferred, Effect, Fiber, FiberId, HashMap, Layer, ManagedRuntime } from "effect"
import { vi } from "vitest"

// the tests of this file share one event loop with its storms
vi.setConfig({ testTimeout: 60_000 })

const { all, fork, timeout } = compat

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const bridged = Effect.provide(compat.layer)

// -----------------------------------------------------------------------------------------------------------------
// tests/test_context.py
// -----------------------------------------------------------------------------------------------------------------

describe("the library's own tests of get, set and clear", () => {
  it("test_get_ok", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      expect(aiotask.get("key")).toBe("value")
    }))

  it("test_get_missing_key", () =>
    aiotask.run(() => {
      aiotask.set("random", "value")
      expect(aiotask.get("key", "default")).toBe("default")
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("test_get_missing_context", () =>
    context.run({}, () => {
      expect(aiotask.get("key", "default")).toBe("default")
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("test_set", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      aiotask.set("key", "updated_value")
      expect(aiotask.get("key")).toBe("updated_value")
    }))

  it("test_get_without_loop", () => {
    expect(() => aiotask.get("key", "default")).toThrow(NoTaskError)
  })

  it("test_set_without_loop", () => {
    expect(() => aiotask.set("random", "value")).toThrow(NoTaskError)
  })

  it("test_clear", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      expect(aiotask.get("key")).toBe("value")
      aiotask.clear()
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("clears without a trace on Effect's one empty map", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      aiotask.clear()
      expect(Object.getOwnPropertySymbols(HashMap.empty())).toEqual([])
    }, copyingTaskFactory))

  it("test_clear_without_loop", () => {
    expect(() => aiotask.clear()).toThrow(NoTaskError)
  })
})

describe("the library's own tests of the task factories", () => {
  it("test_propagates_context", () =>
    aiotask.run(async () => {
      aiotask.set("key", "value")
      expect(await fork(async () => aiotask.get("key"))).toBe("value")
    }))

  it("test_sets_empty_context", () =>
    aiotask.run(async () => {
      expect(await fork(async () => aiotask.get("key", "none"))).toBe("none")
    }))

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    const title = factory === copyingTaskFactory
      ? "test_propagates_copy_of_context"
      : "test_propagates_chainmap_context"
    it(title, () =>
      aiotask.run(async () => {
        aiotask.set("key", "value")
        const child = await fork(async () => {
          aiotask.set("foo", "bar")
          return [aiotask.get("key"), aiotask.get("foo")]
        })
        expect(child).toEqual(["value", "bar"])
        expect(aiotask.get("foo")).toBeUndefined()
      }, factory))
  }
})

// -----------------------------------------------------------------------------------------------------------------
// tests/test_acceptance.py
// -----------------------------------------------------------------------------------------------------------------

describe("the library's own acceptance tests", () => {
  const changeContext = async () => {
    expect(aiotask.get("key")).toBe("value")
    aiotask.set("key", "what")
    aiotask.set("other", "data")
  }
  const spawn: Record<string, () => Promise<unknown>> = {
    test_ensurefuture_context_propagation: () => fork(changeContext),
    test_waitfor_context_propagation: () => timeout(changeContext, "1 second"),
    test_gather_context_propagation: () => all([changeContext])
  }
  for (const [title, start] of Object.entries(spawn)) {
    it(title, () =>
      aiotask.run(async () => {
        aiotask.set("key", "value")
        await start()
        expect(aiotask.get("key")).toBe("what")
        expect(aiotask.get("other")).toBe("data")
      }))
  }

  const roots = 1000
  const children = 10
  const ids = (prefix: string) => Array.from({ length: roots }, (_, n) => `${prefix}-${n}`)

  it("test_ensure_future_concurrent, in promise tasks", async () => {
    const last = async () => {
      await sleep(Math.random() * 20)
      return aiotask.get("key")
    }
    const child = async (n: number) => {
      await sleep(Math.random() * 20)
      const first = aiotask.get("key")
      await sleep(Math.random() * 20)
      const second = await last()
      return { n, key: first === second ? first : `${first}, then ${second}` }
    }
    const root = (id: string) =>
      aiotask.run(async () => {
        aiotask.set("key", id)
        return all(Array.from({ length: children }, (_, n) => () => child(n)))
      })
    const results = await Promise.all(ids("p").map(root))
    expect(results.map((seen) => seen.map(({ key, n }) => `${key} ${n}`))).toEqual(
      ids("p").map((id) => Array.from({ length: children }, (_, n) => `${id} ${n}`))
    )
  })

  it("test_ensure_future_concurrent, in fibers that meet at one gate", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const child = Effect.gen(function*() {
        const first = aiotask.get("key")
        yield* Deferred.await(gate)
        const second = aiotask.get("key")
        const third = yield* Effect.promise(async () => {
          await sleep(Math.random() * 5)
          return aiotask.get("key")
        })
        return [first, second, third]
      })
      const root = (id: string) =>
        aiotask.run(Effect.gen(function*() {
          aiotask.set("key", id)
          return yield* Effect.forEach(Array.from({ length: children }), () => child, { concurrency: "unbounded" })
        }))
      const storm = yield* Effect.fork(Effect.forEach(ids("f"), root, { concurrency: "unbounded" }))
      yield* Effect.sleep(10)
      yield* Deferred.succeed(gate, undefined)
      const results = yield* Fiber.join(storm)
      expect(results.map((seen) => [...new Set(seen.flat())])).toEqual(ids("f").map((id) => [id]))
    }).pipe(bridged, Effect.runPromise))
})

// -----------------------------------------------------------------------------------------------------------------
// README.md
// -----------------------------------------------------------------------------------------------------------------

describe("the examples of the README", () => {
  it("shares the request id", () => {
    const lines: Array<string> = []
    const print = (line: string) => lines.push(line)
    const one = async () => print(aiotask.get("request_id", "Unknown"))
    const two = async () => {
      print(aiotask.get("request_id", "Unknown"))
      await one()
    }
    const three = async () => {
      aiotask.set("request_id", "1234")
      await two()
    }
    return aiotask.run(three).then(() => expect(lines).toEqual(["1234", "1234"]))
  })

  it("keeps the context between gathered tasks", () => {
    const lines: Array<string> = []
    const print = (line: string) => lines.push(line)
    const zero = async () => print("0: " + aiotask.get("status"))
    const one = async () => aiotask.set("status", "DONE")
    const two = async () => {
      aiotask.set("status", "RUNNING")
      print("2: " + aiotask.get("status"))
      await all([one, zero])
      print("2: " + aiotask.get("status"))
    }
    return aiotask.run(two, taskFactory).then(() => expect(lines).toEqual(["2: RUNNING", "0: DONE", "2: DONE"]))
  })

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    it(`does not reflect a child's context in other tasks, with ${factory.name}`, () => {
      const lines: Array<string> = []
      const print = (line: string) => lines.push(line)
      const zero = async () => {
        aiotask.set("status", "FAILED")
        print("0: " + aiotask.get("status"))
      }
      const child = async () => print("1 (child): " + aiotask.get("status"))
      const one = async () => {
        aiotask.set("status", "PENDING")
        print("1: " + aiotask.get("status"))
        await child()
      }
      const spawner = async () => {
        aiotask.set("status", "RUNNING")
        print("2: " + aiotask.get("status"))
        await all([one, zero])
        print("2: " + aiotask.get("status"))
      }
      return aiotask.run(spawner, factory).then(() =>
        expect(lines).toEqual(["2: RUNNING", "1: PENDING", "1 (child): PENDING", "0: FAILED", "2: RUNNING"])
      )
    })
  }

  const expected: Record<string, string> = {
    taskFactory: `Using taskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from child, complex=["from","child"]`,
    copyingTaskFactory: `Using copyingTaskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from parent, complex=["from","parent"]`,
    chainmapTaskFactory: `Using chainmapTaskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from parent, complex=["from","child"]`
  }
  for (const factory of [taskFactory, copyingTaskFactory, chainmapTaskFactory]) {
    const line = (title: string) =>
      `${title}: simple=${aiotask.get("simple")}, complex=${JSON.stringify(aiotask.get("complex"))}`
    const start = () => {
      aiotask.set("simple", "from parent")
      aiotask.set("complex", ["from", "parent"])
    }
    const change = () => {
      aiotask.set("simple", "from child")
      aiotask.get<Array<string>>("complex")![1] = "child"
    }

    it(`compares the task factories: ${factory.name}, in promise tasks`, () =>
      aiotask.run(async () => {
        const lines = [`Using ${factory.name}`]
        start()
        lines.push(line("parent before"))
        await fork(async () => {
          change()
          lines.push(line("child"))
        })
        lines.push(line("parent after"))
        expect(lines.join("\n")).toBe(expected[factory.name])
      }, factory))

    it(`compares the task factories: ${factory.name}, in fibers`, () =>
      aiotask.run(
        Effect.gen(function*() {
          const lines = [`Using ${factory.name}`]
          start()
          lines.push(line("parent before"))
          yield* Fiber.join(
            yield* Effect.fork(Effect.sync(() => {
              change()
              lines.push(line("child"))
            }))
          )
          lines.push(line("parent after"))
          expect(lines.join("\n")).toBe(expected[factory.name])
        }),
        factory
      ).pipe(bridged, Effect.runPromise))
  }
})

// -----------------------------------------------------------------------------------------------------------------
// tasks
// -----------------------------------------------------------------------------------------------------------------

describe("a root", () => {
  it("is empty also inside another, and leaves the outer one as it was", () =>
    aiotask.run(async () => {
      aiotask.set("key", "outer")
      await aiotask.run(async () => {
        expect(aiotask.get("key")).toBeUndefined()
        aiotask.set("key", "inner")
        await sleep(1)
        expect(aiotask.get("key")).toBe("inner")
      })
      expect(aiotask.get("key")).toBe("outer")
    }))

  it("of an effect is empty at each run, and leaves the fiber as it was", () =>
    Effect.gen(function*() {
      aiotask.set("key", "outer")
      const inner = aiotask.run(Effect.sync(() => {
        const before = aiotask.get("key")
        aiotask.set("key", "inner")
        return before
      }))
      expect(yield* inner).toBeUndefined()
      expect(yield* inner).toBeUndefined()
      expect(aiotask.get("key")).toBe("outer")
    }).pipe(bridged, Effect.runPromise))

  it("of an effect that is interrupted leaves the fiber as it was", () =>
    Effect.gen(function*() {
      aiotask.set("key", "outer")
      yield* aiotask.run(Effect.sleep("1 minute")).pipe(Effect.timeoutOption(1))
      yield* Effect.exit(aiotask.run(Effect.die("broken")))
      expect(aiotask.get("key")).toBe("outer")
    }).pipe(bridged, Effect.runPromise))

  it("keeps the other contexts of the task that starts it", () =>
    context.run({ user: "ann" }, () => aiotask.run(() => expect(context.get("user")).toBe("ann"))))

  it("is a fiber that nobody started with run, and its children share its map from the start", () =>
    Effect.gen(function*() {
      const set = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.zipRight(Deferred.await(set), Effect.sync(() => aiotask.get("key"))))
      yield* Effect.yieldNow()
      aiotask.set("key", "parent, after the fork")
      yield* Deferred.succeed(set, undefined)
      expect(yield* Fiber.join(child)).toBe("parent, after the fork")
      yield* Effect.forEach([1, 2], (n) => Effect.sync(() => aiotask.set(`child-${n}`, n)), { concurrency: 2 })
      expect([aiotask.get("child-1"), aiotask.get("child-2")]).toEqual([1, 2])
    }).pipe(bridged, Effect.runPromise))

  it("is a promise task that nobody started with run, and its children share its map from the start", () =>
    context.run({}, async () => {
      const child = fork(async () => {
        await sleep(1)
        return aiotask.get("key")
      })
      aiotask.set("key", "parent, after the fork")
      expect(await child).toBe("parent, after the fork")
      await compat.runPromise(Effect.sync(() => aiotask.set("fiber", "child")))
      expect(aiotask.get("fiber")).toBe("child")
    }))

  it("is each task that starts outside every task, or in a fiber outside the bridge", async () => {
    const request = (id: string) =>
      context.run({}, async () => {
        aiotask.set("key", id)
        await sleep(1)
        return aiotask.get("key")
      })
    expect(await Promise.all([request("a"), request("b")])).toEqual(["a", "b"])
    const fiber = (id: string) => Effect.runPromise(Effect.promise(() => request(id)))
    expect(await Promise.all([fiber("a"), fiber("b")])).toEqual(["a", "b"])
  })

  it("is a fiber that a layer keeps, and its children share its map from the start", async () => {
    const done = Deferred.unsafeMake<unknown>(FiberId.none)
    const serve = Effect.gen(function*() {
      const child = yield* Effect.fork(Effect.zipRight(Effect.sleep(1), Effect.sync(() => aiotask.get("key"))))
      aiotask.set("key", "parent, after the fork")
      return yield* Fiber.join(child)
    })
    const kept = Layer.scopedDiscard(Effect.forkScoped(Effect.intoDeferred(serve, done)))
    const runtime = ManagedRuntime.make(Layer.provide(kept, compat.layer))
    await runtime.runPromise(Effect.sync(() => aiotask.set("key", "first request")))
    expect(await Effect.runPromise(Deferred.await(done))).toBe("parent, after the fork")
    await runtime.dispose()
  })

  it("is each run of a managed runtime, whose layers are built in parallel", async () => {
    const runtime = ManagedRuntime.make(
      Layer.mergeAll(Layer.effectDiscard(Effect.sleep(1)), Layer.effectDiscard(Effect.yieldNow())).pipe(
        Layer.provideMerge(compat.layer)
      )
    )
    const request = (id: string) =>
      Effect.gen(function*() {
        expect(aiotask.get("key")).toBeUndefined()
        aiotask.set("key", id)
        yield* Effect.all([Effect.sleep(1), Effect.yieldNow()], { concurrency: 2 })
        return aiotask.get("key")
      })
    const results = await Promise.all(["a", "b", "c"].map((id) => runtime.runPromise(request(id))))
    expect(results).toEqual(["a", "b", "c"])
    expect(await runtime.runPromise(request("d"))).toBe("d")
    await runtime.dispose()
  })
})

describe("the factory of a root holds for all tasks below it", () => {
  const below = (depth: number): Promise<void> =>
    fork(async () => {
      aiotask.set("depth", depth)
      await compat.runPromise(Effect.gen(function*() {
        aiotask.set("depth", `fiber below ${depth}`)
        yield* Effect.promise(() => fork(async () => aiotask.set("depth", `task of a fiber below ${depth}`)))
      }))
      if (depth < 3) {
        await below(depth + 1)
      }
      aiotask.set(`back-${depth}`, aiotask.get("depth"))
    })

  it("which share with taskFactory, fibers too", () =>
    aiotask.run(async () => {
      await below(1)
      expect(aiotask.get("depth")).toBe("task of a fiber below 3")
    }, taskFactory))

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    it(`which are apart with ${factory.name}, fibers too`, () =>
      aiotask.run(async () => {
        aiotask.set("depth", "root")
        await below(1)
        expect([aiotask.get("depth"), aiotask.get("back-1")]).toEqual(["root", undefined])
      }, factory))
  }
})

describe("chainmapTaskFactory", () => {
  it("lets a child read its parent's current entries", () =>
    aiotask.run(async () => {
      aiotask.set("key", "before")
      const child = fork(async () => {
        await sleep(2)
        return aiotask.get("key")
      })
      aiotask.set("key", "after")
      expect(await child).toBe("after")
    }, chainmapTaskFactory))

  it("clears the child's own entries, so that its parent's show again", () =>
    aiotask.run(async () => {
      aiotask.set("key", "parent")
      await fork(async () => {
        aiotask.set("key", "child")
        aiotask.set("own", "child")
        aiotask.clear()
        expect([aiotask.get("key"), aiotask.get("own")]).toEqual(["parent", undefined])
      })
      aiotask.clear()
      expect(aiotask.get("key")).toBeUndefined()
    }, chainmapTaskFactory))
})

describe("taskFactory", () => {
  it("clears for all that share the map", () =>
    aiotask.run(async () => {
      aiotask.set("key", "parent")
      await fork(async () => aiotask.clear())
      expect(aiotask.get("key")).toBeUndefined()
    }))
})

describe("copyingTaskFactory", () => {
  class Account {
    readonly opened = new Date(0)
    constructor(readonly owners: Array<string>, public self?: Account) {}
    first() {
      return this.owners[0]
    }
  }

  const copyOf = <A>(value: A): Promise<A> =>
    aiotask.run(async () => {
      aiotask.set("value", value)
      return fork(async () => aiotask.get<A>("value")!)
    }, copyingTaskFactory)

  it("copies objects, arrays, maps, sets, dates and buffers", async () => {
    const value = {
      list: [{ n: 1 }],
      map: new Map([[{ key: 1 }, ["v"]]]),
      set: new Set(["a"]),
      date: new Date(1),
      bytes: new Uint8Array([1, 2]),
      pattern: /a+/g,
      missing: undefined,
      nested: [undefined, [2]],
      [Symbol.for("s")]: { n: 2 }
    }
    const copy = await copyOf(value)
    expect(copy).toStrictEqual(value)
    expect(copy.list[0]).not.toBe(value.list[0])
    expect([...copy.map.keys()][0]).not.toBe([...value.map.keys()][0])
    expect(copy.date).not.toBe(value.date)
    expect(copy.bytes.buffer).not.toBe(value.bytes.buffer)
    expect(copy[Symbol.for("s")]).not.toBe(value[Symbol.for("s")])
  })

  it("keeps functions, cycles, shared parts and classes", async () => {
    const account = new Account(["ann"])
    account.self = account
    const call = () => "called"
    const copy = await copyOf({ account, again: account, call, nothing: null })
    expect(copy.account).not.toBe(account)
    expect(copy.account).toBeInstanceOf(Account)
    expect(copy.account.self).toBe(copy.account)
    expect(copy.again).toBe(copy.account)
    expect(copy.account.first()).toBe("ann")
    expect(copy.account.opened.getTime()).toBe(0)
    expect(copy.call).toBe(call)
    expect(copy.nothing).toBeNull()
  })

  it("keeps an error's class, message and fields", async () => {
    const error = Object.assign(new RangeError("far", { cause: () => 1 }), { code: 7 })
    const copy = await copyOf(error)
    expect(copy).not.toBe(error)
    expect(copy).toBeInstanceOf(RangeError)
    expect([copy.message, copy.code, copy.stack]).toEqual(["far", 7, error.stack])
    const frozen = Object.freeze(new RangeError("near"))
    expect((await copyOf(frozen)).stack).toBe(frozen.stack)
  })

  it("copies Effect's collections to equal ones", async () => {
    const value = HashMap.make(["a", 1], ["b", 2])
    expect(HashMap.toEntries(await copyOf(value)).toSorted()).toEqual([["a", 1], ["b", 2]])
  })

  it("fails the fork, and names the key, where a value cannot be copied", () =>
    aiotask.run(async () => {
      aiotask.set("fine", 1)
      for (const value of [Promise.resolve(), new WeakMap(), new AbortController().signal]) {
        aiotask.set("job", { value })
        expect(() => fork(async () => 1)).toThrow(ForkError)
        expect(() => fork(async () => 1)).toThrow(/key "job"/)
      }
      aiotask.set("job", undefined)
      expect(await fork(async () => aiotask.get("fine"))).toBe(1)
    }, copyingTaskFactory))
})

describe("left-over code", () => {
  it("of a fiber goes on with its root's map, and does not touch another's", () =>
    Effect.gen(function*() {
      let leftOver: Promise<unknown> = Promise.resolve()
      yield* aiotask.run(Effect.sync(() => {
        aiotask.set("key", "a")
        leftOver = sleep(5).then(() => {
          aiotask.set("late", true)
          return aiotask.get("key")
        })
      }))
      yield* aiotask.run(Effect.gen(function*() {
        aiotask.set("key", "b")
        yield* Effect.sleep(10)
        expect([aiotask.get("key"), aiotask.get("late")]).toEqual(["b", undefined])
      }))
      expect(yield* Effect.promise(() => leftOver)).toBe("a")
    }).pipe(bridged, Effect.runPromise))
})

describe("misuse", () => {
  it("in a fiber outside compat.layer is a BridgeError, at once", () => {
    const outside = (f: () => unknown) => Effect.runSync(Effect.flip(Effect.try({ try: f, catch: (error) => error })))
    expect(outside(() => aiotask.get("key"))).toBeInstanceOf(BridgeError)
    expect(outside(() => aiotask.set("key", 1))).toBeInstanceOf(BridgeError)
    expect(outside(() => aiotask.clear())).toBeInstanceOf(BridgeError)
  })

  it("outside every task says which call and key", () => {
    expect(() => aiotask.set("request_id", 1)).toThrow(/^aiotask\.set\("request_id", value\): no task is running here/)
  })

  it("is refused before anything is lost", () =>
    aiotask.run(() => {
      aiotask.set("key", 1)
      expect(() => aiotask.run(undefined as never)).toThrow(/aiotask\.run takes a function or an effect/)
      expect(() => aiotask.run(() => 1, Context.copy as never)).toThrow(/taskFactory, copyingTaskFactory or chainmap/)
      expect(() => aiotask.set(7 as never, 1)).toThrow(/aiotask\.set takes a key, a string/)
      expect(() => aiotask.get({} as never)).toThrow(/aiotask\.get takes a key, a string/)
      expect(aiotask.get("key")).toBe(1)
    }))

  it("is not what __proto__ and a stored undefined are", () =>
    aiotask.run(() => {
      aiotask.set("__proto__", 1)
      aiotask.set("nothing", undefined)
      expect([aiotask.get("__proto__"), aiotask.get("nothing", "fallback")]).toEqual([1, undefined])
      expect(aiotask.get("constructor")).toBeUndefined()
    }))
})

// Of the library's own tests these have no counterpart:
//
// - test_loop_bug_aiohttp, test_closed_loop: JavaScript has one event loop, which is neither set nor closed.
// - test_sets_traceback: a promise has no creation traceback in asyncio's debug mode.
// - the conftest's second run of each test, on uvloop: there is one loop.
// - the direct calls `task_factory(loop, coro)`: a factory is given to `run`, and holds for what `compat` and Effect start.
