/** Three requests that a runtime is built for, by where `compat.layer` is in it: what each has of itself, and a run after them. */
import { compat, context, Ctx } from "aiocontext"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { ContextVar, copyContext } from "aiocontext/compat/contextvars"
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

const storage = new AsyncLocalStorage<string>()
const variable = new AsyncContext.Variable<string>()
const contextVar = new ContextVar<string>("id")

const slow = Layer.scopedDiscard(Effect.sleep("5 millis"))
const wirings: Record<string, Layer.Layer<never>> = {
  under: Layer.provideMerge(slow, compat.layer),
  beside: Layer.mergeAll(slow, compat.layer),
  after: Layer.provideMerge(compat.layer, slow)
}

const handler = (id: string) =>
  Effect.gen(function*() {
    yield* Effect.sleep(1)
    const kept = [storage.getStore(), variable.get(), contextVar.get("none"), context.get("id")]
    return [...kept, yield* Effect.promise(async () => context.get("id"))].join("")
  }).pipe(Ctx.provide({ id }))

const nobody = Effect.sync(() => [storage.getStore(), variable.get(), contextVar.get("none"), context.attached])

const enter = <A>(id: string, f: () => A): A =>
  storage.run(id, () =>
    variable.run(id, () =>
      copyContext().run(() => {
        contextVar.set(id)
        return f()
      })))

const report: Record<string, Record<"cold" | "warm" | "nobody" | "booted", unknown>> = {}
for (const [name, layer] of Object.entries(wirings)) {
  const [runtime, booted] = [ManagedRuntime.make(layer), ManagedRuntime.make(layer)]
  const requests = ({ runPromise }: typeof runtime) =>
    Promise.all(["a", "b", "c"].map((id) => enter(id, () => runPromise(handler(id)))))
  const [cold, warm, after] = [await requests(runtime), await requests(runtime), await runtime.runPromise(nobody)]
  await runtime.dispose()
  await booted.runtime()
  report[name] = { cold, warm, nobody: after, booted: await requests(booted) }
  await booted.dispose()
}
console.log(JSON.stringify(report))
