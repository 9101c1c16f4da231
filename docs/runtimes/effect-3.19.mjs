// Effect below 3.20 (npm i effect@3.19.15): a fiber that yields goes on in the async context of another request.
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect } from "effect"
const storage = new AsyncLocalStorage()
const request = (id) => storage.run(id, () => Effect.runPromise(Effect.as(Effect.yieldNow(), id).pipe(
  Effect.map(() => storage.getStore())
)))
console.log(await Promise.all(["r-1", "r-2", "r-3"].map(request))) // => [ "r-1", "r-1", "r-1" ]; from 3.20 on each its own
