import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/runs/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

class Merged extends Context.Tag("test/bridge/runs/Merged")<Merged>({ join: "merge" }) {}
const merged = compat.make(Merged)

class Db extends Effect.Service<Db>()("test/bridge/runs/Db", {
  succeed: { find: (id: string) => Effect.succeed(`user of ${id}`) }
}) {}

const handle = <A>(runtime: ManagedRuntime.ManagedRuntime<never, never>, id: string, f: () => Promise<A>): Promise<A> =>
  runtime.runPromise(Effect.promise(f).pipe(Request.provide({ id })))

describe("a run that is started in a task is its child", () => {
  it("with the default runtime, also where another request wakes it", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const semaphore = Effect.unsafeMakeSemaphore(1)
    const legacy = async (id: string) => {
      const seen = Effect.promise(async () => {
        await sleep(1)
        return request.peek("id")
      })
      return [id, await Effect.runPromise(semaphore.withPermits(1)(seen))]
    }
    const all = await Promise.all(["A", "B", "C"].map((id) => handle(runtime, id, () => legacy(id))))
    expect(all).toEqual([["A", "A"], ["B", "B"], ["C", "C"]])
    await runtime.dispose()
  })

  it("at once, with every storage", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const storage = new AsyncLocalStorage<string>()
    const line = Effect.sync(() => [request.peek("id", "-"), storage.getStore()])
    const seen = storage.run("r1", () => handle(runtime, "r1", async () => Effect.runSync(line)))
    expect(await seen).toEqual(["r1", "r1"])
    await runtime.dispose()
  })

  it("and cannot change its map", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const seen = await handle(runtime, "r1", async () => {
      await Effect.runPromise(Effect.sync(() => request.set("user", "its own")))
      return request.get("user", "nobody")
    })
    expect(seen).toBe("nobody")
    await runtime.dispose()
  })

  it("in a runtime that is built then, which takes nothing of it along", async () => {
    const runtime = ManagedRuntime.make(Layer.merge(compat.layer, Layer.scopedDiscard(Effect.sleep(1))))
    const read = Effect.promise(async () => request.peek("id", "none"))
    const [one, two] = await Promise.all(
      ["one", "two"].map((id) => request.run({ id }, () => runtime.runPromise(read)))
    )
    expect([one, two, await runtime.runPromise(read)]).toEqual(["one", "two", "none"])
    await runtime.dispose()
  })

  it("with the services of a runtime, for one line of a handler", async () => {
    const runtime = ManagedRuntime.make(Layer.provideMerge(Db.Default, compat.layer))
    const program = Effect.gen(function*() {
      const { find } = yield* Db
      yield* Merged.set("user", yield* find("x"))
    })
    await merged.run({ id: "x" }, async () => {
      await merged.runPromise(program, { runtime })
      expect(merged.get("user")).toBe("user of x")
    })
    await runtime.dispose()
  })
})

describe("what a child of promise code changed, under merge", () => {
  it("reaches the task that waits for it, if it succeeds", () =>
    merged.run({}, async () => {
      await compat.fork(async () => merged.set("a", 1))
      await compat.all([async () => merged.set("b", 2), () => merged.set("c", 3)])
      await compat.timeout(async () => merged.set("d", 4), "1 minute")
      await merged.runPromise(Merged.set("e", 5))
      const failed = compat.fork(async () => {
        merged.set("f", 6)
        throw new Error("no")
      })
      await expect(failed).rejects.toThrow("no")
      expect(merged.toObject()).toEqual({ a: 1, b: 2, c: 3, d: 4, e: 5 })
    }))
})
