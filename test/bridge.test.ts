import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, Context, context, ContextLayer, Ctx, NoTaskError } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import {
  Context as EffectContext,
  Deferred,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  Layer,
  ManagedRuntime,
  Queue,
  Runtime,
  Scheduler,
  Stream
} from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { often, sleep } from "./support.js"

class Request extends Context.Tag("test/bridge/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

class Reading extends EffectContext.Tag("test/bridge/Reading")<Reading, {
  readonly seen: Effect.Effect<string | undefined>
}>() {}

const bridged = Effect.provide(compat.layer)
const withRequest = (id: string) => Request.provide({ request_id: id })

describe("imperative code called by a fiber sees the fiber's map", () => {
  const read = () => request.get("request_id")
  const cases: Record<string, Effect.Effect<string, unknown, Request>> = {
    "Effect.sync": Effect.sync(read),
    "Effect.suspend": Effect.suspend(() => Effect.succeed(read())),
    "Effect.try": Effect.try(read),
    "Effect.promise": Effect.promise(async () => read()),
    "Effect.promise, after an await": Effect.promise(async () => {
      await sleep(1)
      return read()
    }),
    "Effect.tryPromise": Effect.tryPromise(async () => {
      await Promise.resolve()
      return read()
    }),
    "Effect.async": Effect.async<string>((resume) => {
      setTimeout(() => resume(Effect.succeed(read())), 1)
    }),
    "a generator's own lines": Effect.gen(function*() {
      yield* Effect.sleep(1)
      return read()
    }),
    "Effect.map": Effect.map(Effect.sleep(1), read),
    "a finalizer": Effect.suspend(() => {
      let seen = ""
      return Effect.sleep(1).pipe(
        Effect.ensuring(Effect.sync(() => {
          seen = read()
        })),
        Effect.map(() => seen)
      )
    }),
    "a scope's finalizer": Effect.suspend(() => {
      let seen = ""
      return Effect.scoped(Effect.addFinalizer(() =>
        Effect.promise(async () => {
          await sleep(1)
          seen = read()
        })
      )).pipe(Effect.map(() => seen))
    }),
    "a Stream callback": Stream.make(1, 2).pipe(
      Stream.mapEffect((n) => Effect.as(Effect.sleep(1), n)),
      Stream.map(read),
      Stream.runHead,
      Effect.map((head) => head._tag === "Some" ? head.value : "none")
    ),
    "Effect.iterate": Effect.iterate("", { while: (seen) => seen === "", body: () => Effect.sync(read) }),
    "Effect.forEach with concurrency": Effect.forEach(
      [1, 2, 3],
      () =>
        Effect.promise(async () => {
          await sleep(1)
          return read()
        }),
      { concurrency: 2 }
    ).pipe(Effect.map((all) => new Set(all).size === 1 ? all[0]! : "mixed")),
    "Effect.onExit": Effect.suspend(() => {
      let seen = ""
      return Effect.onExit(Effect.void, () => Effect.sync(() => void (seen = read()))).pipe(Effect.map(() => seen))
    })
  }
  for (const [name, effect] of Object.entries(cases)) {
    it.live(name, () =>
      effect.pipe(
        withRequest(name),
        bridged,
        Effect.map((seen) => expect(seen).toBe(name))
      ))
  }
})

describe("what imperative code sets", () => {
  it.live("the fiber sees as soon as it goes on, and so does a child forked then", () =>
    Effect.gen(function*() {
      yield* Effect.promise(async () => {
        request.set("user", "a")
        await sleep(1)
        request.set("user", request.get("user") + "b")
      })
      expect(yield* Request.get("user")).toBe("ab")
      const child = yield* Effect.fork(Request.get("user"))
      expect(yield* Fiber.join(child)).toBe("ab")
      yield* Effect.sync(() => request.set("user", "c"))
      expect(yield* Request.get("user")).toBe("c")
    }).pipe(withRequest("r"), bridged))

  it.live("the fiber sees, also where the code is started by a suspended effect that then waits for it", () =>
    Effect.gen(function*() {
      const write = async (user: string) => {
        await sleep(1)
        request.set("user", user)
      }
      yield* Effect.suspend(() => {
        const written = write("suspended")
        return Effect.promise(() => written)
      })
      expect(yield* Request.get("user")).toBe("suspended")
    }).pipe(withRequest("r"), bridged))

  it.live("is seen by imperative code of later steps", () =>
    Effect.gen(function*() {
      yield* Effect.sync(() => request.set("user", "a"))
      expect(yield* Effect.sync(() => request.get("user"))).toBe("a")
      expect(request.get("user")).toBe("a")
      const later = yield* Effect.promise(async () => {
        await sleep(1)
        return request.get("user")
      })
      expect(later).toBe("a")
    }).pipe(withRequest("r"), bridged))

  it.live("costs the same however often one operation does it", () =>
    Effect.gen(function*() {
      yield* Effect.sync(() => {
        for (let i = 0; i < 50_000; i++) {
          request.set("user", String(i))
        }
      })
      expect(yield* Request.get("user")).toBe("49999")
    }).pipe(withRequest("r"), bridged))
})

/** Code that waits for a gate: what runs behind it is left over once the fiber has gone on. */
const gate = () => {
  let open = () => {}
  const opened = new Promise<void>((resolve) => open = resolve)
  const runs: Array<Promise<unknown>> = []
  return {
    /** Starts the code, where it is called. */
    start: (code: () => unknown) => void runs.push(opened.then(code)),
    /** Lets it run, and gives its results. */
    open: () => {
      open()
      return Promise.all(runs)
    }
  }
}

describe("left-over code", () => {
  const readThenSet = () => {
    const seen = request.get("user")
    request.set("user", "left-over")
    return [seen, request.get("user")]
  }

  it.live("of a sync step reads the map of that moment, and its writes stay its own", () =>
    Effect.gen(function*() {
      const { open, start } = gate()
      yield* Request.set("user", "first")
      yield* Effect.sync(() => start(readThenSet))
      expect(yield* Effect.promise(open)).toEqual([["first", "left-over"]])
      expect(yield* Request.get("user")).toBe("first")
    }).pipe(withRequest("r"), bridged))

  it.live("of a sync step does not land on a fiber that sleeps", () =>
    Effect.gen(function*() {
      yield* Effect.sync(() => void setTimeout(readThenSet, 1))
      yield* Effect.sleep(50)
      expect(yield* Request.get("user")).toBe(undefined)
    }).pipe(withRequest("r"), bridged))

  it.live("of a sync step does not land on a later promise step", () =>
    Effect.gen(function*() {
      const { open, start } = gate()
      yield* Effect.sync(() => start(readThenSet))
      yield* Request.set("user", "second")
      yield* Effect.promise(async () => {
        expect(await open()).toEqual([[undefined, "left-over"]])
        expect(request.get("user")).toBe("second")
        request.set("user", "third")
      })
      expect(yield* Request.get("user")).toBe("third")
    }).pipe(withRequest("r"), bridged))

  it.live("of a promise step keeps the map that the step ended with", () =>
    Effect.gen(function*() {
      const { open, start } = gate()
      yield* Effect.promise(async () => {
        start(readThenSet)
        await sleep(1)
        request.set("user", "one")
      })
      yield* Request.set("user", "two")
      expect(yield* Effect.promise(open)).toEqual([["one", "left-over"]])
      expect(yield* Request.get("user")).toBe("two")
    }).pipe(withRequest("r"), bridged))

  it.live("of a suspended effect keeps the map of that moment, whatever the effect does next", () =>
    Effect.gen(function*() {
      const { open, start } = gate()
      const read = () => [request.get("request_id"), request.get("user")]
      yield* Effect.suspend(() => {
        start(read)
        const bound = compat.bind(read)
        return Effect.sync(() => start(bound)).pipe(withRequest("inner"))
      })
      yield* Effect.suspend(() => {
        start(read)
        return Request.set("user", "new")
      })
      expect(yield* Effect.promise(open)).toEqual([["outer", undefined], ["outer", undefined], ["outer", undefined]])
    }).pipe(withRequest("outer"), bridged))

  it.live("of a region keeps the region's map", () =>
    Effect.gen(function*() {
      const { open, start } = gate()
      yield* Effect.sync(() => start(() => request.get("request_id"))).pipe(
        Effect.provide(Request.layer({ request_id: "inner" }))
      )
      expect(yield* Effect.promise(open)).toEqual(["inner"])
      expect(yield* Request.get("request_id")).toBe("outer")
    }).pipe(withRequest("outer"), bridged))
})

describe("whoever wakes the fiber", () => {
  const als = new AsyncLocalStorage<string>()
  it.live("50 requests that queue for a semaphore keep every storage of the process", () =>
    Effect.gen(function*() {
      const semaphore = yield* Effect.makeSemaphore(1)
      const runtime = yield* Effect.runtime<never>()
      const handler = (id: string) =>
        semaphore.withPermits(1)(Effect.gen(function*() {
          yield* Effect.promise(() => sleep(1))
          return [als.getStore(), request.get("request_id"), yield* Request.get("request_id")]
        })).pipe(withRequest(id))
      const results = yield* Effect.promise(() =>
        Promise.all(
          Array.from(
            { length: often(50, 5) },
            (_, i) => als.run(`r${i}`, () => Runtime.runPromise(runtime)(handler(`r${i}`)))
          )
        )
      )
      results.forEach((seen, i) => expect(seen).toEqual([`r${i}`, `r${i}`, `r${i}`]))
    }).pipe(bridged))
})

describe("the bridge", () => {
  it("throws BridgeError outside, at once and in synchronous code", () => {
    const exit = Effect.runSyncExit(Effect.sync(() => context.get("a")))
    expect(Exit.isFailure(exit) && exit.cause).toMatchObject({ _tag: "Die", defect: { _tag: "BridgeError" } })
    expect(() => context.get("a")).toThrow(NoTaskError)
    expect(() => Effect.runSync(Effect.sync(() => context.get("a")))).toThrow(/outside compat.layer/)
    expect(BridgeError).toBeDefined()
  })
  it("works in runSync", () => {
    const program = Effect.gen(function*() {
      yield* Ctx.set("a", 1)
      return context.get("a")
    })
    expect(Effect.runSync(Effect.provide(program, ContextLayer))).toBe(1)
  })
  it.live("wraps a scheduler given to a run", () =>
    Effect.gen(function*() {
      const runtime = yield* Effect.runtime<Request>()
      const scheduled: Array<number> = []
      const scheduler: Scheduler.Scheduler = {
        shouldYield: Scheduler.defaultScheduler.shouldYield,
        scheduleTask: (task, priority, fiber) => {
          scheduled.push(priority)
          Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
        }
      }
      const seen = yield* Effect.promise(() =>
        new Promise((resolve) =>
          Runtime.runFork(runtime)(
            Effect.promise(async () => {
              await sleep(1)
              return request.get("request_id")
            }),
            { scheduler }
          ).addObserver(resolve)
        )
      )
      expect(Exit.getOrElse(seen as Exit.Exit<string>, () => "")).toBe("r")
      expect(scheduled.length).toBeGreaterThan(0)
    }).pipe(withRequest("r"), bridged))

  for (const where of ["around the bridge", "inside it"]) {
    it.live(`keeps what promise code sets, wherever a scheduler ${where} makes the fiber yield`, () =>
      Effect.gen(function*() {
        for (let position = 1; position <= often(40, 4); position++) {
          let asked = Infinity
          const scheduler = Scheduler.make(
            (task, priority, fiber) => Scheduler.defaultScheduler.scheduleTask(task, priority, fiber),
            () => asked++ === position ? 0 : false
          )
          const scheduled = Effect.withScheduler(scheduler)
          const program = Effect.sync(() => void (asked = 0)).pipe(
            Effect.zipRight(Effect.promise(async (signal) => {
              await sleep(1)
              request.set("request_id", `set, ${signal.aborted}`)
            })),
            Effect.zipRight(Request.get("request_id")),
            withRequest("lost")
          )
          const seen = yield* where === "inside it" ? bridged(scheduled(program)) : scheduled(bridged(program))
          expect([position, seen]).toEqual([position, "set, false"])
        }
      }))
  }

  it.live("lets others go on as often as the fiber's own limit says", () =>
    Effect.gen(function*() {
      let others = 0
      const isOthersTurn = Effect.gen(function*() {
        const before = others
        const other = yield* Effect.fork(Effect.sync(() => others++))
        for (let i = 0; i < 100; i++) {
          yield* Effect.sync(() => i)
        }
        const came = others > before
        yield* Fiber.join(other)
        return came
      })
      expect(yield* isOthersTurn).toBe(false)
      expect(yield* Effect.withMaxOpsBeforeYield(isOthersTurn, 20)).toBe(true)
      expect(yield* isOthersTurn).toBe(false)
    }).pipe(bridged))

  it.live("is there when merged, and in a ManagedRuntime", () =>
    Effect.promise(async () => {
      const managed = ManagedRuntime.make(
        Layer.mergeAll(compat.layer, Request.layer({ request_id: "m" }), ContextLayer)
      )
      const read = Effect.promise(async () => {
        await sleep(1)
        return request.get("request_id") + request.attached + context.attached
      })
      expect(await managed.runPromise(read)).toBe("mtruetrue")
      expect(managed.runSync(Effect.sync(() => request.get("request_id")))).toBe("m")
      await managed.dispose()
    }))

  it.live("leaves nothing in the fiber", () =>
    Effect.gen(function*() {
      const sequential = yield* Effect.sleep(1).pipe(bridged, Effect.andThen(Effect.getFiberRefs))
      yield* Effect.void.pipe(Effect.provide(Layer.mergeAll(compat.layer, ContextLayer)))
      yield* Effect.sleep(1)
      const merged = yield* Effect.getFiberRefs
      for (const { locals } of [sequential, merged]) {
        expect(locals.has(FiberRef.currentScheduler)).toBe(false)
        expect(locals.has(FiberRef.currentSupervisor)).toBe(false)
        expect(locals.has(Ctx.ref)).toBe(false)
      }
      const exit = yield* Effect.exit(Effect.sync(() => context.get("x")))
      expect(String(exit)).toContain("BridgeError")
    }))
  // one for all runs: Node 20 keeps each storage that was ever entered
  const handedOn = new AsyncLocalStorage<string>()
  it.live("a fiber that got the bridge with another one's fiber refs keeps its own async context", () =>
    Effect.gen(function*() {
      const refs = yield* Effect.getFiberRefs
      const gate = yield* Deferred.make<void>()
      const seen = handedOn.run("its own", () =>
        Effect.runPromise(Effect.gen(function*() {
          yield* Effect.setFiberRefs(refs)
          yield* Deferred.await(gate)
          return [handedOn.getStore(), yield* Effect.promise(async () => request.get("request_id"))]
        })))
      handedOn.run("its waker's", () => setTimeout(() => Deferred.unsafeDone(gate, Effect.void), 1))
      expect(yield* Effect.promise(() => seen)).toEqual(["its own", "handed on"])
    }).pipe(withRequest("handed on"), bridged))
  it.live("a fiber woken through a deferred and a queue", () =>
    Effect.gen(function*() {
      const deferred = yield* Deferred.make<void>()
      const queue = yield* Queue.unbounded<number>()
      const fiber = yield* Effect.fork(
        Effect.gen(function*() {
          yield* Deferred.await(deferred)
          const a = request.get("request_id")
          yield* Queue.take(queue)
          return a + request.get("request_id")
        }).pipe(withRequest("x"))
      )
      yield* Effect.sleep(1)
      yield* Deferred.succeed(deferred, undefined).pipe(withRequest("y"))
      yield* Effect.promise(async () => {
        await sleep(1)
        Queue.unsafeOffer(queue, 1)
      }).pipe(withRequest("z"))
      expect(yield* Fiber.join(fiber)).toBe("xx")
    }).pipe(bridged))
})
void ContextLayers

describe("nothing leaks out", () => {
  const storage = new AsyncLocalStorage<string>()
  const enters = Effect.sync(() => {
    storage.enterWith("the fiber's")
    return request.get("request_id")
  })
  const run = <A, E>(effect: Effect.Effect<A, E, Request>) => effect.pipe(withRequest("r"), bridged)
  /** What the caller's stores and tasks are, after it did something. */
  const after = (f: () => unknown) =>
    storage.run("the caller's", () => {
      f()
      return [storage.getStore(), request.attached]
    })

  const ends: Record<string, () => unknown> = {
    "ends": () => Effect.runSync(run(enters)),
    "fails": () => Effect.runSyncExit(run(Effect.zipRight(enters, Effect.fail("no")))),
    "throws": () =>
      Effect.runSyncExit(run(Effect.zipRight(
        enters,
        Effect.sync(() => {
          throw new Error("no")
        })
      ))),
    "is interrupted": () => Effect.runSyncExit(run(Effect.zipRight(enters, Effect.interrupt))),
    "goes on without the caller": () => Effect.runFork(run(Effect.zipRight(enters, Effect.sleep(1)))),
    "cannot go on": () => Effect.runSyncExit(run(Effect.zipRight(enters, Effect.never)))
  }
  for (const [name, end] of Object.entries(ends)) {
    it(`when a run ${name}, the caller's stores are what they were`, () => {
      expect(after(end)).toEqual(["the caller's", false])
    })
  }

  it("nor when a run starts under the bridge, whose first lines run before the call returns", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    await runtime.runtime()
    const program = Effect.zipRight(enters, Effect.sync(() => storage.getStore())).pipe(withRequest("r"))
    const seen: Array<string | undefined> = []
    expect(after(() => seen.push(runtime.runSync(program)))).toEqual(["the caller's", false])
    expect(after(() => runtime.runFork(Effect.map(program, (store) => seen.push(store))))).toEqual([
      "the caller's",
      false
    ])
    expect(seen).toEqual(["the fiber's", "the fiber's"])
    const outer = Effect.zipRight(enters, Effect.sync(() => runtime.runSync(withRequest("inner")(enters))))
    expect(runtime.runSync(outer.pipe(Effect.zip(enters), withRequest("outer")))).toEqual(["inner", "outer"])
    await runtime.dispose()
  })

  it("nor after the caller's next await", async () => {
    await storage.run("the caller's", async () => {
      await Effect.runPromise(run(enters))
      expect([storage.getStore(), request.attached]).toEqual(["the caller's", false])
      await Effect.runPromiseExit(run(Effect.zipRight(Effect.promise(() => sleep(1)), Effect.fail("no"))))
      expect([storage.getStore(), request.attached]).toEqual(["the caller's", false])
    })
  })

  it("a store that a fiber enters stays with it across its suspensions", () =>
    Effect.gen(function*() {
      yield* enters
      yield* Effect.sleep(1)
      expect(storage.getStore()).toBe("the fiber's")
      expect(yield* Effect.flatMap(Effect.fork(Effect.sync(() => storage.getStore())), Fiber.join)).toBe("the fiber's")
    }).pipe(run, Effect.runPromise))

  const worker = (seen: Array<string | undefined>) =>
    Layer.scopedDiscard(Effect.forkScoped(Effect.forever(
      Effect.zipRight(Effect.sync(() => seen.push(storage.getStore())), Effect.sleep(1))
    )))

  for (
    const [name, layerOf] of [
      ["alone", worker],
      ["beside another one", (seen) => Layer.merge(worker(seen), worker(seen))],
      ["in the building of another one", (seen) => Layer.scopedDiscard(Layer.build(worker(seen)))]
    ] satisfies ReadonlyArray<[string, (seen: Array<string | undefined>) => Layer.Layer<never>]>
  ) {
    it(`a request that a shared layer was built in, ${name}, leaves nothing in the fibers that the layer keeps`, async () => {
      const seen: Array<string | undefined> = []
      const runtime = ManagedRuntime.make(Layer.provide(layerOf(seen), compat.layer))
      await storage.run("the first request's", () => runtime.runPromise(Effect.void))
      await sleep(20)
      await runtime.dispose()
      expect(seen.length).toBeGreaterThan(0)
      expect(new Set(seen)).toEqual(new Set([undefined]))
    })
  }

  const read = Effect.sync(() => storage.getStore())
  const waiting: ReadonlyArray<[string, Effect.Effect<string | undefined>]> = [
    ["a fork that is joined", Effect.flatMap(Effect.fork(read), Fiber.join)],
    ["a timeout", Effect.orDie(Effect.timeout(read, 60_000))],
    ["a race", Effect.race(read, Effect.never)],
    [
      "Effect.all",
      Effect.map(Effect.all([Effect.zipRight(Effect.sleep(1), read), read], { concurrency: 2 }), ([a]) => a)
    ]
  ]
  for (const [name, effect] of waiting) {
    it(`${name}, waited for by a layer's building, keeps the stores of who builds it`, async () => {
      const built = Layer.effect(Reading, Effect.map(effect, (seen) => ({ seen: Effect.succeed(seen) })))
      const program = Effect.flatMap(Reading, ({ seen }) => seen).pipe(Effect.provide(built), bridged)
      expect(await storage.run("the request's", () => Effect.runPromise(program))).toBe("the request's")
    })

    it(`${name}, of a service with a context that it took when it was built, keeps the stores of who uses it`, async () => {
      const built = Layer.effect(
        Reading,
        Effect.map(Effect.context<never>(), (context) => ({ seen: Effect.provide(effect, context) }))
      )
      const runtime = ManagedRuntime.make(Layer.provideMerge(built, compat.layer))
      await storage.run("the first request's", () => runtime.runPromise(Effect.void))
      const program = Effect.flatMap(Reading, ({ seen }) => seen)
      expect(await storage.run("the request's", () => runtime.runPromise(program))).toBe("the request's")
      await runtime.dispose()
    })
  }

  it("a task that is scheduled for no fiber runs in the stores of who schedules it", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const program = Effect.withFiberRuntime<string | undefined>((fiber) =>
      Effect.async((resume) => {
        fiber.currentScheduler.scheduleTask(() => resume(Effect.succeed(storage.getStore())), 0)
      })
    )
    const ids = ["a", "b"]
    const seen = await Promise.all(ids.map((id) => storage.run(id, () => runtime.runPromise(program))))
    expect(seen).toEqual(ids)
    await runtime.dispose()
  })

  it("what a fiber that a layer keeps enters stays with the fibers that it forks", async () => {
    const done = Deferred.unsafeMake<ReadonlyArray<string | undefined>>(FiberId.none)
    const later = Effect.zipRight(Effect.sleep(1), read)
    const serve = Effect.gen(function*() {
      yield* Effect.sync(() => storage.enterWith("the fiber's"))
      const child = yield* Effect.fork(later)
      const [daemon] = yield* Effect.all([Effect.zipRight(Effect.sleep(1), Effect.forkDaemon(later)), Effect.void], {
        concurrency: 2
      })
      return [yield* Fiber.join(child), yield* Fiber.join(daemon)]
    })
    const kept = Layer.scopedDiscard(Effect.forkScoped(Effect.intoDeferred(serve, done)))
    const runtime = ManagedRuntime.make(Layer.provide(kept, compat.layer))
    await storage.run("the first request's", () => runtime.runPromise(Effect.void))
    expect(await Effect.runPromise(Deferred.await(done))).toEqual(["the fiber's", "the fiber's"])
    await runtime.dispose()
  })
})
