/** An app that knows nothing of the bridge: what its requests see in a runtime that is built for the first of them, and later. */
import { context, Ctx } from "aiocontext"
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout } from "node:timers/promises"

const storage = new AsyncLocalStorage<string>()
const runtime = ManagedRuntime.make(Layer.scopedDiscard(Effect.sleep("5 millis")))

const handler = (id: string) =>
  Effect.gen(function*() {
    yield* Effect.sleep(1)
    yield* Effect.promise(async () => {
      await setTimeout(1)
      context.set("user", `user of ${context.get("id")}`)
    })
    return [storage.getStore(), yield* Ctx.get("user")]
  }).pipe(Ctx.provide({ id }))

const requests = () => Promise.all(["a", "b"].map((id) => storage.run(id, () => runtime.runPromise(handler(id)))))

/** What the requests saw. */
export const serve = async (): Promise<{ readonly cold: unknown; readonly warm: unknown }> => {
  const seen = { cold: await requests(), warm: await requests() }
  await runtime.dispose()
  return seen
}
