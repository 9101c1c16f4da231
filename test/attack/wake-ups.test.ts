import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Runtime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { often } from "../support.js"
import { wakers } from "../wakers.js"

// No foreign context, whoever wakes the fiber

class Request extends Context.Tag("attack/wake-ups/Request")<Request>() {}
const request = compat.make(Request)
const storage = new AsyncLocalStorage<number>()

const requests = often(12, 4)

describe("a fiber runs on in its own context when it is woken by", () => {
  for (const [name, prepare] of Object.entries(wakers)) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const handler = yield* prepare
        const runtime = yield* Effect.runtime<never>()
        const seen: Array<readonly [number, number | undefined, unknown]> = []
        const handle = (id: number) => {
          const look = Effect.sync(() => void seen.push([id, storage.getStore(), request.get("id")]))
          return handler(id, look).pipe(Effect.zipRight(look), Request.provide({ id }))
        }
        const all = Array.from({ length: requests }, (_, id) =>
          storage.run(id, () => Runtime.runPromise(runtime)(handle(id))))
        yield* Effect.promise(() =>
          Promise.all(all)
        )
        expect(seen.length).toBeGreaterThan(requests)
        expect(seen.filter(([id, stored, own]) => stored !== id || own !== id)).toEqual([])
      }).pipe(Effect.provide(compat.layer)))
  }
})
