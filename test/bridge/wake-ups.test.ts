import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Deferred, Effect, Fiber, Option, Queue, Runtime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bridged, often, suspended } from "../support.js"
import { wakers } from "../wakers.js"

class Request extends Context.Tag("test/bridge/wake-ups/Request")<Request, { readonly id: unknown }>() {}

const request = compat.make(Request)

const storage = new AsyncLocalStorage<unknown>()

const requests = often(50, 4)

describe("a fiber runs on in its own context when it is woken by", () => {
  for (const [name, prepare] of Object.entries(wakers)) {
    it.scopedLive(name, () =>
      Effect.gen(function*() {
        const handler = yield* prepare
        const runtime = yield* Effect.runtime<never>()
        const seen: Array<ReadonlyArray<unknown>> = []
        const handle = (id: number) => {
          const look = Effect.map(
            Request.peek("id"),
            (own) => void seen.push([id, storage.getStore(), request.get("id"), Option.getOrUndefined(own)])
          )
          return handler(id, look).pipe(Effect.zipRight(look), Request.provide({ id }))
        }
        const all = Array.from({ length: requests }, (_, id) =>
          storage.run(id, () => Runtime.runPromise(runtime)(handle(id))))
        yield* Effect.promise(() =>
          Promise.all(all)
        )
        expect(seen.length).toBeGreaterThan(requests)
        expect(seen.filter(([id, ...reads]) => reads.some((read) => read !== id))).toEqual([])
      }).pipe(bridged))
  }
})

describe("whoever wakes the fiber", () => {
  it.live("a fiber that got the bridge with another one's fiber refs keeps its own async context", () =>
    Effect.gen(function*() {
      const refs = yield* Effect.getFiberRefs
      const gate = yield* Deferred.make<void>()
      const seen = storage.run("its own", () =>
        Effect.runPromise(Effect.gen(function*() {
          yield* Effect.setFiberRefs(refs)
          yield* Deferred.await(gate)
          return [storage.getStore(), yield* Effect.promise(async () => request.get("id"))]
        })))
      storage.run("its waker's", () => setTimeout(() => Deferred.unsafeDone(gate, Effect.void), 1))
      expect(yield* Effect.promise(() => seen)).toEqual(["its own", "handed on"])
    }).pipe(Request.provide({ id: "handed on" }), bridged))

  it.live("a fiber that waits twice, and is woken by a fiber and by promise code, keeps its map", () =>
    Effect.gen(function*() {
      const deferred = yield* Deferred.make<void>()
      const queue = yield* Queue.unbounded<number>()
      const fiber = yield* Effect.fork(
        Effect.gen(function*() {
          yield* Deferred.await(deferred)
          const first = request.get("id")
          yield* Queue.take(queue)
          return [first, request.get("id")]
        }).pipe(Request.provide({ id: "x" }))
      )
      yield* suspended(fiber)
      yield* Deferred.succeed(deferred, undefined).pipe(Request.provide({ id: "y" }))
      yield* suspended(fiber)
      yield* Effect.promise(async () => Queue.unsafeOffer(queue, 1)).pipe(Request.provide({ id: "z" }))
      expect(yield* Fiber.join(fiber)).toEqual(["x", "x"])
    }).pipe(bridged))
})
