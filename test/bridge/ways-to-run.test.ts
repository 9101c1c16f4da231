/** Every way in which promise code starts a run: the run is a child of the task that starts it, whoever wakes it. */
import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Exit, Fiber, ManagedRuntime, Runtime, Schema, Stream } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/ways-to-run/Request")<Request, { readonly id: string }>() {}
const request = compat.make(Request)

const storage = new AsyncLocalStorage<string>()

const seen = () => `${request.peek("id", "no map")}, ${storage.getStore()}`

const promised = <A, E>(start: (done: (exit: Exit.Exit<A, E>) => void) => unknown): Promise<A> =>
  new Promise((resolve, reject) => start(Exit.match({ onFailure: reject, onSuccess: resolve })))

const firstOf = async (stream: ReadableStream<string>): Promise<string | undefined> =>
  (await stream.getReader().read()).value

/** What a request does in its promise code, given an effect that looks after another request has woken it. */
type Way = (look: Effect.Effect<string>, runtime: Runtime.Runtime<never>) => Promise<string | undefined>

const ways: Record<string, Way> = {
  "Effect.runPromise": (look) => Effect.runPromise(look),
  "Effect.runPromiseExit, with a signal": async (look) =>
    Exit.getOrElse(await Effect.runPromiseExit(look, { signal: new AbortController().signal }), String),
  "Effect.runFork": (look) => Effect.runPromise(Fiber.join(Effect.runFork(look))),
  "Effect.runCallback": (look) => promised((onExit) => Effect.runCallback(look, { onExit })),
  "Runtime.runCallback": (look, runtime) => promised((onExit) => Runtime.runCallback(runtime)(look, { onExit })),
  "Runtime.runPromiseExit": async (look, runtime) =>
    Exit.getOrElse(await Runtime.runPromiseExit(runtime)(look), String),
  "Stream.toReadableStream": (look) => firstOf(Stream.toReadableStream(Stream.fromEffect(look))),
  "Stream.toReadableStreamRuntime": (look, runtime) =>
    firstOf(Stream.toReadableStreamRuntime(Stream.fromEffect(look), runtime)),
  "Stream.toAsyncIterable": async (look) => {
    for await (const value of Stream.toAsyncIterable(Stream.fromEffect(look))) {
      return value
    }
    return undefined
  },
  "Schema.decodePromise": (look) =>
    Schema.decodePromise(
      Schema.transformOrFail(Schema.String, Schema.String, {
        strict: true,
        decode: () => look,
        encode: Effect.succeed
      })
    )("")
}

describe("what is started in a task is its child:", () => {
  for (const [name, run] of Object.entries(ways)) {
    it(name, async () => {
      const runtime = ManagedRuntime.make(compat.layer)
      const outer = await runtime.runtime()
      const semaphore = Effect.unsafeMakeSemaphore(1)
      const look = semaphore.withPermits(1)(Effect.promise(async () => {
        await sleep(1)
        return seen()
      }))
      const handle = (id: string) => Effect.promise(() => run(look, outer)).pipe(Request.provide({ id }))
      const all = await Promise.all(
        ["a", "b", "c"].map((id) => storage.run(id, () => runtime.runPromise(handle(id))))
      )
      expect(all).toEqual(["a, a", "b, b", "c, c"])
      await runtime.dispose()
    })
  }

  for (
    const [name, run] of Object.entries({
      "Effect.runSync": Effect.runSync,
      "Effect.runSyncExit": (effect: Effect.Effect<string>) => Exit.getOrElse(Effect.runSyncExit(effect), String)
    })
  ) {
    it(`${name}, at once`, async () => {
      const runtime = ManagedRuntime.make(compat.layer)
      const handler = Effect.sync(() => run(Effect.sync(seen))).pipe(Request.provide({ id: "a" }))
      expect(storage.run("a", () => runtime.runSync(handler))).toBe("a, a")
      await runtime.dispose()
    })
  }

  it("Effect.runCallback's cancel interrupts it, and the interruption's code is the child's", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const cancelled = () =>
      new Promise<string>((resolve) => {
        const cancel = Effect.runCallback(Effect.onInterrupt(Effect.never, () => Effect.sync(() => resolve(seen()))))
        cancel()
      })
    const handler = Effect.promise(cancelled).pipe(Request.provide({ id: "a" }))
    expect(await storage.run("a", () => runtime.runPromise(handler))).toBe("a, a")
    await runtime.dispose()
  })
})
