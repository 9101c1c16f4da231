/** A CommonJS program has a copy of Effect of its own, with a default runtime of its own. */
import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { createRequire } from "node:module"
import { sleep } from "../support.js"

const required: typeof import("effect") = createRequire(import.meta.url)("effect")

class Request extends Context.Tag("test/bridge/two-effects/Request")<Request, { readonly id: string }>() {}
const request = compat.make(Request)

const storage = new AsyncLocalStorage<string>()

const seen = () => `${request.peek("id", "no map")}, ${storage.getStore()}`

/** What legacy code sees that each request calls, where another request wakes it. */
const legacy = (run: (effect: Effect.Effect<string>) => Promise<string>): Promise<ReadonlyArray<string>> => {
  const runtime = ManagedRuntime.make(compat.layer)
  const semaphore = required.Effect.unsafeMakeSemaphore(1)
  const look = semaphore.withPermits(1)(required.Effect.promise(async () => {
    await sleep(1)
    return seen()
  }))
  const handler = (id: string) => Effect.promise(() => run(look)).pipe(Request.provide({ id }))
  return Promise.all(["a", "b", "c"].map((id) => storage.run(id, () => runtime.runPromise(handler(id)))))
}

describe("a run of another copy of Effect", () => {
  it("with its default runtime is a child of the task that starts it, whoever wakes it", async () => {
    expect(await legacy(required.Effect.runPromise)).toEqual(["a, a", "b, b", "c, c"])
  })

  it("with a runtime that it has built is one, too", async () => {
    const runtime = required.ManagedRuntime.make(required.Layer.empty)
    expect(await legacy((effect) => runtime.runPromise(effect))).toEqual(["a, a", "b, b", "c, c"])
    await runtime.dispose()
  })

  it("sees its task at once, and takes nothing along where it ends", () => {
    const program = Effect.sync(() => required.Effect.runSync(required.Effect.sync(seen)))
    expect(Effect.runSync(program.pipe(Request.provide({ id: "a" }), Effect.provide(compat.layer)))).toBe(
      "a, undefined"
    )
    expect(required.Effect.runSync(required.Effect.sync(seen))).toBe("no map, undefined")
  })

  it("keeps to a child that it forks", async () => {
    const { Effect: Other, Fiber } = required
    const child = Other.flatMap(Other.fork(Other.andThen(Other.sleep(1), Other.sync(seen))), Fiber.join)
    expect(await legacy(() => Other.runPromise(child))).toEqual(["a, a", "b, b", "c, c"])
  })
})
