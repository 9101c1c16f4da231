import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Exit, Fiber, ManagedRuntime, Runtime, Scheduler } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bridged, often, sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/schedulers/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}

const request = compat.make(Request)

const withRequest = (id: string) => Request.provide({ request_id: id })

const storage = new AsyncLocalStorage<string>()

describe("a scheduler", () => {
  it.live("that a run is given schedules its fiber, which keeps its map", () =>
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

  for (const where of ["around the bridge", "inside the bridge"]) {
    it.live(`${where} loses nothing that promise code sets, wherever it makes the fiber yield`, () =>
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
          const seen = yield* where === "inside the bridge" ? bridged(scheduled(program)) : scheduled(bridged(program))
          expect([position, seen]).toEqual([position, "set, false"])
        }
      }))
  }

  it.live("makes a fiber yield as often as its own limit says", () =>
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

  it("runs a task that is scheduled for no fiber in the stores of who schedules it", async () => {
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
})
