import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Deferred, Effect } from "effect"
import { bridged, gated, sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/left-over/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}

const request = compat.make(Request)

const withRequest = (id: string) => Request.provide({ request_id: id })

describe("left-over code", () => {
  const readThenSet = () => {
    const seen = request.get("user")
    request.set("user", "left-over")
    return [seen, request.get("user")]
  }

  it.live("of a sync step reads the map of that moment, and its writes stay its own", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* Request.set("user", "first")
      yield* Effect.sync(() => start(readThenSet))
      expect(yield* Effect.promise(open)).toEqual([["first", "left-over"]])
      expect(yield* Request.get("user")).toBe("first")
    }).pipe(withRequest("r"), bridged))

  it.live("of a sync step does not land on a fiber that waits", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      yield* Effect.sync(() =>
        void setTimeout(() => {
          readThenSet()
          Deferred.unsafeDone(written, Effect.void)
        }, 1)
      )
      yield* Deferred.await(written)
      expect(yield* Request.get("user")).toBe(undefined)
    }).pipe(withRequest("r"), bridged))

  it.live("of a sync step does not land on a later promise step", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* Effect.sync(() => start(readThenSet))
      yield* Request.set("user", "second")
      yield* Effect.promise(async () => {
        expect(await open()).toEqual([[undefined, "left-over"]])
        expect(request.get("user")).toBe("second")
        request.set("user", "third")
      })
      expect(yield* Request.get("user")).toBe("third")
    }).pipe(withRequest("r"), bridged))

  it.live("of a promise step keeps the map that the step ended with", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* Effect.promise(async () => {
        start(readThenSet)
        await sleep(1)
        request.set("user", "one")
      })
      yield* Request.set("user", "two")
      expect(yield* Effect.promise(open)).toEqual([["one", "left-over"]])
      expect(yield* Request.get("user")).toBe("two")
    }).pipe(withRequest("r"), bridged))

  it.live("of a suspended effect keeps the map of that moment, whatever the effect does next", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      const read = () => [request.get("request_id"), request.get("user")]
      yield* Effect.suspend(() => {
        start(read)
        const bound = compat.bind(read)
        return Effect.sync(() => start(bound)).pipe(withRequest("inner"))
      })
      yield* Effect.suspend(() => {
        start(read)
        return Request.set("user", "new")
      })
      expect(yield* Effect.promise(open)).toEqual([["outer", undefined], ["outer", undefined], ["outer", undefined]])
    }).pipe(withRequest("outer"), bridged))

  it.live("of a region keeps the region's map", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      yield* Effect.sync(() => start(() => request.get("request_id"))).pipe(
        Effect.provide(Request.layer({ request_id: "inner" }))
      )
      expect(yield* Effect.promise(open)).toEqual(["inner"])
      expect(yield* Request.get("request_id")).toBe("outer")
    }).pipe(withRequest("outer"), bridged))

  it.live("reads what was read many times as it was then", () =>
    Effect.gen(function*() {
      const { open, start } = gated()
      const often = () => Array.from({ length: 20 }, () => request.get("user")).at(-1)
      yield* Effect.promise(async () => {
        await Promise.resolve()
        expect(often()).toBeUndefined()
        request.set("user", "a")
        expect(often()).toBe("a")
        start(often)
      })
      yield* Request.set("user", "b")
      expect(yield* Effect.promise(open)).toEqual(["a"])
    }).pipe(withRequest("r"), bridged))
})
