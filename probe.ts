import { isolationTest } from "aiocontext/testing"
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect } from "effect"
const storage = new AsyncLocalStorage<{ readonly user: string }>()
const subject = Effect.gen(function*() {
      yield* Effect.sleep(2)
      return storage.getStore()?.user
    })
for (const n of [200,200,200,200,2,2,2,2]) {
const t = performance.now()
const r = await isolationTest(() => subject, { storages: [storage], seeds: 10, requests: n, timeLimit: 2000}).catch(e => e)
console.log(n, (performance.now() - t)/10, r.message ?? [r.seeds.length, r.steps])
}
