import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import {
  Effect,
  FiberRef,
  FiberRefs,
  Layer,
  Runtime,
  RuntimeFlags,
  RuntimeFlagsPatch,
  Scheduler,
  Supervisor
} from "effect"
import { AsyncLocalStorage, createHook } from "node:async_hooks"
import { bridged, outside } from "../support.js"

class Request extends Context.Tag("test/bridge/unnoticed/Request")<Request>() {}
const request = compat.make(Request)

class Counter extends Supervisor.AbstractSupervisor<void> {
  override readonly value = Effect.void
  operations = 0
  override onEffect() {
    this.operations++
  }
}

const supervision = RuntimeFlags.OpSupervision
const turnedOn = Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.enable(supervision))
const turnedOff = Effect.withRuntimeFlagsPatch(RuntimeFlagsPatch.disable(supervision))

describe("Effect does not notice the bridge", () => {
  for (const [name, layer] of Object.entries({ "without it": Layer.empty, "with it": compat.layer })) {
    it.live(`a user's supervisor is asked where the user wants it, ${name}`, () =>
      Effect.gen(function*() {
        const [silent, asked, after] = [new Counter(), new Counter(), new Counter()]
        yield* Effect.supervised(Effect.yieldNow(), silent)
        yield* Effect.supervised(turnedOn(Effect.yieldNow()), asked)
        yield* Effect.supervised(Effect.zipRight(turnedOn(Effect.void), Effect.yieldNow()), after)
        expect(silent.operations).toBe(0)
        expect(asked.operations).toBeGreaterThan(0)
        expect(after.operations).toBeLessThan(asked.operations + 3)
      }).pipe(Effect.provide(layer)))
  }

  it.live("a user's flag is theirs again when the bridge is left", () =>
    turnedOn(Effect.gen(function*() {
      yield* Effect.provide(Effect.yieldNow(), compat.layer)
      expect(RuntimeFlags.isEnabled(yield* Effect.getRuntimeFlags, supervision)).toBe(true)
    })))

  it.live("a promise's write reaches the fiber where the flag is off", () =>
    Effect.gen(function*() {
      yield* turnedOff(Effect.promise(async () => {
        await Promise.resolve()
        request.set("user", "ann")
      }))
      expect(yield* Request.get("user")).toBe("ann")
    }).pipe(Request.provide({}), bridged))
})

describe("after the bridge", () => {
  it("a daemon's promise code belongs to no task, and no write is dropped", () =>
    Effect.gen(function*() {
      const tagOf = (f: () => unknown) =>
        Effect.promise(async () => {
          await Promise.resolve()
          try {
            return f()
          } catch (error) {
            return (error as { readonly _tag: unknown })._tag
          }
        })
      const daemon = Effect.gen(function*() {
        yield* Effect.sleep("5 millis")
        const refused = yield* tagOf(() => request.set("b", 2))
        return [refused, yield* Request.peek("b"), yield* tagOf(() => request.get("a"))] as const
      })
      const fiber = yield* Request.provide({ a: 1 })(Effect.forkDaemon(daemon)).pipe(bridged)
      const [refused, kept, read] = yield* Effect.flatten(fiber.await)
      expect([refused, kept._tag, read]).toEqual(["NoTaskError", "None", "NoTaskError"])
    }).pipe(Runtime.runPromise(outside)))
})

/** Runs an effect under a scheduler that counts: how often it is given a task, and asked whether a fiber is to yield. */
const counted = async (effect: Effect.Effect<unknown>) => {
  const counts = { tasks: 0, questions: 0 }
  const scheduler = Scheduler.make(
    (task, priority, fiber) => {
      counts.tasks++
      Scheduler.defaultScheduler.scheduleTask(task, priority, fiber)
    },
    () => {
      counts.questions++
      return false
    }
  )
  await Runtime.runPromise(outside)(Effect.withScheduler(effect, scheduler))
  return counts
}

/** What a fiber tells of itself. */
const ofFiber = Effect.withFiberRuntime<{
  readonly keys: ReadonlyArray<PropertyKey>
  readonly flags: number
  readonly scheduler: Scheduler.Scheduler
  readonly supervisor: Supervisor.Supervisor<unknown>
  readonly refs: FiberRefs.FiberRefs
}>((fiber) =>
  Effect.map(Effect.getRuntimeFlags, (flags) => ({
    keys: Reflect.ownKeys(fiber),
    flags,
    scheduler: fiber.currentScheduler,
    supervisor: (fiber as unknown as { readonly currentSupervisor: Supervisor.Supervisor<unknown> }).currentSupervisor,
    refs: fiber.getFiberRefs()
  }))
)

// docs/guide/3-bridging.md lists what these show: a line here that fails is a line there that has changed
describe("what a program can still see of the bridge", () => {
  const under = () => Runtime.runPromise(outside)(bridged(Effect.zipRight(Effect.yieldNow(), ofFiber)))
  const bare = () => Runtime.runPromise(outside)(Effect.zipRight(Effect.yieldNow(), ofFiber))

  it("three methods of a fiber are its own, and one symbol says what the bridge knows of it", async () => {
    const before = new Set((await bare()).keys)
    const added = (await under()).keys.filter((key) => !before.has(key))
    expect(added.filter((key) => typeof key === "string").toSorted()).toEqual([
      "evaluateEffect",
      "patchRuntimeFlags",
      "refreshRefCache"
    ])
    expect(added.filter((key) => typeof key === "symbol").map(String)).toContain("Symbol(aiocontext/fiber)")
    expect(added.filter((key) => typeof key === "symbol" && !String(key).startsWith("Symbol(aiocontext/"))).toEqual([])
  })

  it("the flag OpSupervision is on, and a bit beside it that Effect does not use", async () => {
    const [{ flags: before }, { flags }] = [await bare(), await under()]
    expect(flags ^ before).toBe(RuntimeFlags.OpSupervision | 64)
  })

  it("one fiber ref more: the supervisor", async () => {
    const [before, { refs }] = [new Set((await bare()).refs.locals.keys()), await under()]
    expect(Array.from(refs.locals.keys()).filter((ref) => !before.has(ref))).toContain(FiberRef.currentSupervisor)
    // the supervisors of other copies of Effect that have run under the bridge are such refs, too
    expect(refs.locals.size - before.size).toBeLessThanOrEqual(3)
  })

  it("a fiber's scheduler and supervisor are wrapped; the fiber refs have those of the user", async () => {
    const scheduler = new Scheduler.MixedScheduler(2048)
    const { refs, scheduler: current, supervisor } = await Runtime.runPromise(outside)(
      bridged(Effect.withScheduler(Effect.zipRight(Effect.yieldNow(), ofFiber), scheduler))
    )
    expect(FiberRefs.getOrDefault(refs, FiberRef.currentScheduler)).toBe(scheduler)
    expect(current).not.toBe(scheduler)
    expect(supervisor).not.toBe(FiberRefs.getOrDefault(refs, FiberRef.currentSupervisor))
  })

  it("a fiber that enters it goes through the scheduler once", async () => {
    const region = Effect.provide(Layer.scopedDiscard(Effect.addFinalizer(() => Effect.void)))
    const once = await counted(region(Effect.yieldNow()))
    expect((await counted(bridged(Effect.void))).tasks).toBe(once.tasks)
  })

  it("compat.within yields twice", async () => {
    const storage = new AsyncLocalStorage<string>()
    const inScope = compat.within((f) => storage.run("scope", f))
    const [before, { tasks }] = [await counted(bridged(Effect.void)), await counted(bridged(inScope(Effect.void)))]
    expect(tasks - before.tasks).toBe(2)
  })

  it("a scheduler is not asked while code registers a callback", async () => {
    const waits = Effect.repeatN(Effect.async<void>((resume) => resume(Effect.void)), 20)
    const questions = async (region: (effect: Effect.Effect<void>) => Effect.Effect<void>) =>
      (await counted(region(waits))).questions - (await counted(region(Effect.void))).questions
    const [bare, under] = [await questions((effect) => effect), await questions(bridged)]
    expect(under).toBeLessThan(bare)
    expect(under).toBeGreaterThan(20)
  })

  it("while one is open, the default runtime has other fiber refs", () =>
    Effect.sync(() => {
      const supervisor = FiberRefs.get(Runtime.defaultRuntime.fiberRefs, FiberRef.currentSupervisor)
      expect(supervisor._tag).toBe("Some")
    }).pipe(bridged, Runtime.runPromise(outside)))

  it("the scope of all fibers has a method of its own", () =>
    Effect.sync(() => {
      const store = (globalThis as unknown as Record<string, Map<unknown, object>>)["effect/GlobalValue"]!
      expect(Object.hasOwn(store.get(Symbol.for("effect/FiberScope/Global"))!, "add")).toBe(true)
    }).pipe(bridged, Runtime.runPromise(outside)))

  if (process.versions["bun"] === undefined && process.versions["deno"] === undefined) {
    it("async_hooks shows the resource that a fiber runs in", () => {
      const types: Array<string> = []
      const hook = createHook({ init: (_id, type) => void types.push(type) })
      hook.enable()
      Runtime.runSync(outside)(bridged(Effect.void))
      hook.disable()
      expect(types).toContain("aiocontext")
    })
  }
})
