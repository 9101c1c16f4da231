/**
 * What is private in Effect, Node and Deno, and relied on: CONTRIBUTING.md has the table. Each name is tried on the real
 * object. A test that fails here says which one the version at hand lacks, and the table what does not work without it.
 */
import { describe, expect, it } from "@effect/vitest"
import {
  Deferred,
  Differ,
  Effect,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  GlobalValue,
  Runtime,
  RuntimeFlags,
  RuntimeFlagsPatch,
  Scheduler,
  Supervisor
} from "effect"
import { AsyncLocalStorage, AsyncResource, executionAsyncResource } from "node:async_hooks"
import { EventEmitter } from "node:events"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { outside } from "../support.js"

const root = join(import.meta.dirname, "../..")

// -----------------------------------------------------------------------------------------------------------------
// what is tried
// -----------------------------------------------------------------------------------------------------------------

/** Any property of anything: this file asks for what no type has. */
type Any = any

/** Runs an effect outside every bridge, as Effect alone does. */
const run = <A, E>(effect: Effect.Effect<A, E>): A => Runtime.runSync(outside)(effect)

/** A look at the fiber that runs it, before its last operations. */
const look = <A>(f: (fiber: Any) => A): A =>
  run(
    Effect.withFiberRuntime((fiber) => Effect.flatMap(Effect.sync(() => f(fiber)), (seen) => Effect.sync(() => seen)))
  )

const classOf = (fiber: object): Any => Object.getPrototypeOf(fiber)

/** Puts something in the place of a fiber's method, and counts the calls. */
const countCalls = (fiber: Any, method: string): { calls: number } => {
  const count = { calls: 0 }
  fiber[method] = function(...args: Array<unknown>) {
    count.calls++
    return classOf(this)[method].apply(this, args)
  }
  return count
}

/** The names of the operations that a fiber does for an effect, as its supervisor is told. */
const operationsOf = (effect: Effect.Effect<unknown>): ReadonlyArray<Any> => {
  const seen: Array<Any> = []
  class Watching extends Supervisor.AbstractSupervisor<void> {
    override readonly value = Effect.void
    override onEffect(_: unknown, operation: unknown) {
      seen.push(operation)
    }
  }
  Runtime.runFork(outside)(
    Effect.withRuntimeFlagsPatch(
      Effect.supervised(Effect.suspend(() => effect), new Watching()),
      RuntimeFlagsPatch.enable(RuntimeFlags.OpSupervision)
    )
  )
  return seen
}

const has = (name: string, effect: Effect.Effect<unknown>) => () => operationsOf(effect).some(({ _op }) => _op === name)

const patch = RuntimeFlagsPatch.enable(RuntimeFlags.OpSupervision)

const { Deno } = globalThis as Any
const [major] = process.versions.node.split(".").map(Number) as [number]
const isNode = Deno === undefined && process.versions["bun"] === undefined

/** By its name in the table, what tells whether a thing is there, and is what the library takes it for. */
const probes: Record<string, () => boolean> = {
  _fiberRefs: () =>
    look((fiber) => {
      const before = fiber._fiberRefs
      fiber.setFiberRef(FiberRef.currentMaxOpsBeforeYield, 1234)
      return before.locals instanceof Map && fiber._fiberRefs !== before
        && fiber._fiberRefs.locals.get(FiberRef.currentMaxOpsBeforeYield)[0][1] === 1234
    }),
  setFiberRefs: () =>
    look((fiber) => {
      const state = FiberRefs.unsafeMake(new Map(fiber._fiberRefs.locals))
      fiber.setFiberRefs(state)
      return fiber._fiberRefs === state
    }),
  evaluateEffect: () => {
    const gate = Deferred.unsafeMake<void>(FiberId.none)
    const fiber = Runtime.runFork(outside)(Deferred.await(gate))
    const evaluated = countCalls(fiber, "evaluateEffect")
    const scheduler = new Scheduler.SyncScheduler()
    ;(fiber as Any).currentScheduler = scheduler
    Deferred.unsafeDone(gate, Effect.void)
    scheduler.flush()
    return evaluated.calls === 1 && fiber.unsafePoll()?._tag === "Success"
  },
  run: () => {
    const tasks: Array<unknown> = []
    const scheduler = Scheduler.make((task) => tasks.push(task), () => false)
    const fiber = Runtime.runFork(outside)(Effect.yieldNow(), { scheduler })
    return tasks.length === 1 && tasks[0] === (fiber as Any).run
  },
  refreshRefCache: () =>
    look((fiber) => {
      const refreshed = countCalls(fiber, "refreshRefCache")
      fiber.setFiberRefs(fiber._fiberRefs)
      fiber.setFiberRef(FiberRef.currentMaxOpsBeforeYield, 1234)
      // asked with something that gives the refs themselves, it tells which ref supervisors are kept in
      const reader: Any = { getFiberRef: (ref: unknown) => ({ ref, unsafeMap: new Map() }) }
      classOf(fiber).refreshRefCache.call(reader)
      return refreshed.calls === 2 && reader.currentSupervisor.ref === FiberRef.currentSupervisor
    }),
  currentScheduler: () => {
    let asked = 0
    const scheduler = Scheduler.make(() => {}, () => {
      asked++
      return false
    })
    look((fiber) => (fiber.currentScheduler = scheduler))
    return asked > 0
  },
  currentSupervisor: () => {
    let asked = 0
    class Watching extends Supervisor.AbstractSupervisor<void> {
      override readonly value = Effect.void
      override onEffect() {
        asked++
      }
    }
    look((fiber) => {
      fiber.currentRuntimeFlags |= RuntimeFlags.OpSupervision
      fiber.currentSupervisor = new Watching()
    })
    return asked > 0
  },
  currentRuntimeFlags: () => {
    const flags = Effect.withFiberRuntime<number>((fiber: Any) => {
      fiber.currentRuntimeFlags |= RuntimeFlags.OpSupervision
      return Effect.getRuntimeFlags
    })
    return (run(flags) & RuntimeFlags.OpSupervision) !== 0
  },
  patchRuntimeFlags: () =>
    run(Effect.withFiberRuntime<boolean>((fiber) => {
      const patched = countCalls(fiber, "patchRuntimeFlags")
      return Effect.map(Effect.withRuntimeFlagsPatch(Effect.void, patch), () => patched.calls === 2)
    })),
  64: () => {
    const used = [
      RuntimeFlags.Interruption,
      RuntimeFlags.OpSupervision,
      RuntimeFlags.RuntimeMetrics,
      RuntimeFlags.WindDown,
      RuntimeFlags.CooperativeYielding
    ]
    // a child starts with the flags of its parent, the one that Effect does not know among them
    const child = Effect.flatMap(
      Effect.fork(Effect.withFiberRuntime((fiber: Any) => Effect.succeed(fiber.currentRuntimeFlags))),
      Fiber.join
    )
    const flags = run(Effect.withFiberRuntime<number>((fiber: Any) => {
      fiber.currentRuntimeFlags |= 64
      return child
    }))
    return used.every((flag) => (flag & 64) === 0) && (flags & 64) !== 0
  },
  getChildren: () =>
    run(Effect.withFiberRuntime<boolean>((parent: Any) =>
      Effect.gen(function*() {
        const child = yield* Effect.fork(Effect.never)
        const daemon = yield* Effect.forkDaemon(Effect.never)
        yield* Effect.yieldNow()
        return parent.getChildren().has(child) && !parent.getChildren().has(daemon)
      })
    )),
  "effect/FiberCurrent": () => look((fiber) => (globalThis as Any)["effect/FiberCurrent"] === fiber),
  initial: () => (FiberRef.unsafeMake("first") as Any).initial === "first",
  fork: () => (FiberRef.unsafeMakePatch("a", patches) as Any).fork === "forked",
  patch: () => (FiberRef.unsafeMakePatch("a", patches) as Any).patch("forked")("a") === "a forked",
  left: () => zipped().left === first,
  right: () => zipped().right === second,
  "Runtime.defaultRuntime.fiberRefs": () => {
    const { fiberRefs } = Runtime.defaultRuntime
    const other = FiberRefs.unsafeMake(
      new Map(fiberRefs.locals).set(FiberRef.currentMaxOpsBeforeYield, [[FiberId.unsafeMake(), 1234]])
    )
    try {
      ;(Runtime.defaultRuntime as Any).fiberRefs = other
      return Effect.runSync(FiberRef.get(FiberRef.currentMaxOpsBeforeYield)) === 1234
    } finally {
      ;(Runtime.defaultRuntime as Any).fiberRefs = fiberRefs
    }
  },
  "effect/FiberScope/Global": () => {
    const scope = GlobalValue.globalValue<Any>(Symbol.for("effect/FiberScope/Global"), () => ({}))
    const own = Reflect.getOwnPropertyDescriptor(scope, "add")
    const { add } = scope
    const order: Array<unknown> = []
    scope.add = (flags: unknown, fiber: unknown) => {
      order.push(fiber)
      add.call(scope, flags, fiber)
    }
    const fiber = Runtime.runFork(outside)(Effect.sync(() => order.push("runs")))
    Reflect.deleteProperty(scope, "add")
    Object.defineProperties(scope, own === undefined ? {} : { add: own })
    return order[0] === fiber && order[1] === "runs"
  },
  _op: () => operationsOf(Effect.void).every(({ _op }) => typeof _op === "string"),
  effect_instruction_i0: () =>
    operationsOf(Effect.withRuntimeFlagsPatch(Effect.void, patch)).some(({ _op, effect_instruction_i0 }) =>
      _op === "UpdateRuntimeFlags" && effect_instruction_i0 === patch
    ),
  Commit: has("Commit", Effect.promise(() => Promise.resolve())),
  Async: has("Async", Effect.async(() => {})),
  OnSuccess: has("OnSuccess", Effect.flatMap(Effect.sync(() => 1), Effect.succeed)),
  OnFailure: has("OnFailure", Effect.catchAllCause(Effect.sync(() => 1), Effect.succeed)),
  OnSuccessAndFailure: has("OnSuccessAndFailure", Effect.exit(Effect.sync(() => 1))),
  OnStep: () => "OnStep" in look(classOf),
  UpdateRuntimeFlags: has("UpdateRuntimeFlags", Effect.uninterruptible(Effect.sync(() => 1))),
  WithRuntime: has("WithRuntime", Effect.withFiberRuntime(() => Effect.void)),
  shouldYield: () => {
    const of = (currentOpCount: number): Any => ({ currentOpCount, getFiberRef: (ref: Any) => ref.initial })
    const limit = (FiberRef.currentMaxOpsBeforeYield as Any).initial
    return [Scheduler.defaultScheduler, new Scheduler.SyncScheduler(), { shouldYield: Scheduler.defaultShouldYield }]
      .every((scheduler) =>
        scheduler.shouldYield(of(limit)) === false && typeof scheduler.shouldYield(of(limit + 1)) === "number"
      )
  },
  kResourceStore: () => {
    const storage = new AsyncLocalStorage<string>()
    const symbol = (storage as Any).kResourceStore
    return storage.run("kept", () => (executionAsyncResource() as Any)[symbol]) === "kept"
  },
  AsyncResource: () => {
    const storage = new AsyncLocalStorage<string>()
    const resource = new AsyncResource("test")
    resource.runInAsyncScope(() => storage.enterWith("kept"))
    return resource.runInAsyncScope(() => storage.getStore()) === (major < 24 ? "kept" : undefined)
  },
  listener: () => {
    const emitter = new EventEmitter()
    const listener = () => {}
    emitter.on("event", Object.assign(() => {}, { listener }))
    emitter.removeListener("event", listener)
    return emitter.listenerCount("event") === 0
  },
  "Deno.internal": () => {
    const { core } = Deno[Deno.internal]
    const storage = new AsyncLocalStorage<string>()
    const frame = storage.run("of the frame", () => core.getAsyncContext())
    const before = core.getAsyncContext()
    core.setAsyncContext(frame)
    const seen = storage.getStore()
    core.setAsyncContext(before)
    return seen === "of the frame" && storage.getStore() === undefined
  },
  _stack: () => look((fiber) => fiber._stack.some(({ _op }: Any) => _op === "OnSuccess")),
  PRNG: () => {
    const random: Any = run(Effect.random)
    const { PRNG } = random
    try {
      random.PRNG = { number: () => 0.25, integer: () => 7 }
      return run(random.next) === 0.25 && run(random.nextIntBetween(0, 10)) === 7
    } finally {
      random.PRNG = PRNG
    }
  },
  inheritAll: () => {
    let joined = 0
    run(Effect.flatMap(Effect.fork(Effect.void), (fiber) => {
      const { inheritAll } = fiber
      Object.defineProperty(fiber, "inheritAll", {
        get: () => Effect.zipRight(Effect.sync(() => joined++), inheritAll)
      })
      return Fiber.join(fiber)
    }))
    return joined === 1
  }
}

const patches = {
  differ: Differ.make<string, string>({
    empty: "",
    combine: (first, second) => first + second,
    diff: () => "",
    patch: (patch, value) => `${value} ${patch}`
  }),
  fork: "forked"
}

const [first, second] = [run(Supervisor.track), run(Supervisor.track)]
const zipped = (): Any => first.zip(second)

/** What is there on some runtimes only: elsewhere the library does without it. */
const onlyOn: Record<string, boolean> = {
  kResourceStore: isNode && major < 24,
  AsyncResource: isNode,
  "Deno.internal": Deno !== undefined
}

// -----------------------------------------------------------------------------------------------------------------
// the table
// -----------------------------------------------------------------------------------------------------------------

const namesIn = (text: string): ReadonlyArray<string> => Array.from(text.matchAll(/`([^`]+)`/g), ([, name]) => name!)

const [, table = ""] = /### What is private in others, and relied on\n([\s\S]*?)\n#/.exec(
  readFileSync(join(root, "CONTRIBUTING.md"), "utf8")
) ?? []
const rows = table.split("\n").filter((line) => /^\| \w/.test(line)).map((line) => line.split("|")[1]!)

const sourceOf = (file: string): string => readFileSync(join(root, "src", file), "utf8")

const membersOf = (file: string, name: string): ReadonlyArray<string> => {
  const [, body = ""] = new RegExp(`interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(sourceOf(file)) ?? []
  return Array.from(body.matchAll(/^ {2}(?:readonly )?(\w+)/gm), ([, member]) => member!)
}

/** The operations that a file of the library tells apart. */
const operationsIn = (file: string): ReadonlyArray<string> =>
  Array.from(sourceOf(file).matchAll(/(?:case|(?:operation|_op) ===) "(\w+)"/g), ([, name]) => name!)

describe("what is private in others", () => {
  it("is in CONTRIBUTING's table, name by name, and tried", () => {
    expect(rows.length).toBeGreaterThan(10)
    expect(rows.filter((row) => namesIn(row).length === 0)).toEqual([])
    expect(rows.flatMap(namesIn).toSorted()).toEqual(Object.keys(probes).toSorted())
  })

  it("is in that table where the source names it", () => {
    const named = [
      ...membersOf("internal/effect3/fiber.ts", "FiberInternals"),
      ...membersOf("internal/effect3/state.ts", "RefInternals"),
      ...operationsIn("internal/effect3/flags.ts"),
      ...operationsIn("internal/task/bridge.ts")
    ]
    expect(named.length).toBeGreaterThan(15)
    expect(named.filter((name) => !(name in probes))).toEqual([])
  })

  for (const [name, isThere] of Object.entries(probes)) {
    if (onlyOn[name] !== false) {
      it(`${name} is there, and what the library takes it for`, () => {
        const result = Effect.runSyncExit(Effect.try(isThere))
        expect([name, Exit.isFailure(result) ? String(result) : result.value]).toEqual([name, true])
      })
    }
  }
})
