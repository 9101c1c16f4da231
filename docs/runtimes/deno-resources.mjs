// deno run --v8-flags=--expose-gc deno-resources.mjs: an AsyncResource holds the one in whose scope it was made.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
const storage = new AsyncLocalStorage()
const first = new WeakRef({})
let resource = storage.run(first.deref(), () => new AsyncResource("step"))
for (let step = 0; step < 100_000; step++) {
  resource = resource.runInAsyncScope(() => storage.run(step, () => new AsyncResource("step")))
}
await new Promise((resolve) => setTimeout(resolve, 10))
gc()
const kept = first.deref() !== undefined
resource.runInAsyncScope(() => console.log(kept, process.memoryUsage().heapUsed > 40e6)) // => true true; Node: false false
