import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Fiber, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bridged, sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/callers/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}

const request = compat.make(Request)

const withRequest = (id: string) => Request.provide({ request_id: id })

describe("nothing leaks out to the caller", () => {
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
})
