/** A program under `aiocontext/register`: what requests see in a runtime that is built for the first of them, and after. */
import "aiocontext/register"
import { context, Ctx } from "aiocontext"
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

const storage = new AsyncLocalStorage<string>()
const runtime = ManagedRuntime.make(Layer.scopedDiscard(Effect.sleep("5 millis")))
const handler = Effect.map(Effect.sleep(1), () => storage.getStore())
const requests = () => Promise.all(["a", "b", "c"].map((id) => storage.run(id, () => runtime.runPromise(handler))))

const program = Effect.gen(function*() {
  yield* Effect.promise(async () => {
    await Promise.resolve()
    context.set("user", "bob")
  })
  return yield* Ctx.get("user")
})

const [cold, warm] = [await requests(), await requests()]
console.log(JSON.stringify({ cold, warm, user: await Effect.runPromise(program.pipe(Ctx.provide({}))) }))
