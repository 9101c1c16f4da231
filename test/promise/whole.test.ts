import { describe, expect, it } from "@effect/vitest"
import { compat, Context, NoTaskError } from "aiocontext"
import { jobContext } from "aiocontext/compat/aiolocals"
import { isolate } from "aiocontext/compat/contextvars"
import { Effect, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { EventEmitter } from "node:events"
import { bridged } from "../support.js"

class Request extends Context.Tag("test/promise/whole/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}
const request = compat.make(Request)

// one for all tests: Node 20 keeps each storage that was ever entered
const trace = new AsyncLocalStorage<string>()

const seen = () => [request.peek("id"), trace.getStore()]

const inRequest = <A>(id: string, f: () => A): A => trace.run(id, () => request.run({ id }, f))

describe("what is bound is bound whole", () => {
  it("bind and snapshot take every storage along", () => {
    const [bound, snapshot] = inRequest("a", () => [compat.bind(seen), compat.snapshot()] as const)
    inRequest("b", () => {
      expect(bound()).toEqual(["a", "a"])
      expect(snapshot(seen)).toEqual(["a", "a"])
      expect(seen()).toEqual(["b", "b"])
    })
  })

  it("also of a fiber", async () => {
    const runtime = ManagedRuntime.make(compat.layer)
    const run = <A>(id: string, f: () => A) =>
      trace.run(id, () => runtime.runPromise(Effect.sync(f).pipe(Request.provide({ id }))))
    const bound = await run("a", () => compat.bind(seen))
    expect(await run("b", bound)).toEqual(["a", "a"])
    await runtime.dispose()
  })

  it("a bound function keeps this, its name and its number of parameters", () => {
    const handle = function(this: unknown, _error: unknown, _request: unknown, _response: unknown, _next: unknown) {
      return this
    }
    const bound = request.run({ id: "a" }, () => compat.bind(handle))
    expect([bound.length, bound.name]).toEqual([4, "handle"])
    expect(bound.call("it", 1, 2, 3, 4)).toBe("it")
    const job = jobContext("nightly")(function nightly(_one: number, _two: number) {})
    expect([job.length, job.name]).toEqual([2, "nightly"])
    const generator = isolate(function* lines(_file: string): Generator<number> {})
    expect([generator.length, generator.name]).toEqual([1, "lines"])
  })
})

describe("bindEmitter", () => {
  it("binds what is listened with from then on, and lets it be removed", () => {
    const bus = new EventEmitter()
    const lines: Array<unknown> = []
    const listener = () => void lines.push(seen())
    inRequest("a", () => {
      expect(compat.bindEmitter(bus).on("event", listener)).toBe(bus)
      bus.once("event", listener)
    })
    inRequest("b", () => bus.emit("event"))
    bus.emit("event")
    expect(lines).toEqual([["a", "a"], ["a", "a"], ["a", "a"]])
    bus.off("event", listener)
    expect(bus.listenerCount("event")).toBe(0)
    inRequest("a", () => bus.once("event", listener))
    bus.removeListener("event", listener)
    expect(bus.emit("event")).toBe(false)
  })

  it("says what it takes", () => {
    request.run({ id: "a" }, () => {
      expect(() => compat.bindEmitter({} as never)).toThrow(/takes an event emitter/)
    })
  })
})

describe("outside", () => {
  it("is outside every task, with every storage empty, across an await", async () => {
    const found = await inRequest("a", () =>
      compat.outside(async () => {
        await Promise.resolve()
        expect(() => request.get("id")).toThrow(NoTaskError)
        return seen()
      }))
    expect(found).toEqual([undefined, undefined])
    expect(inRequest("a", () => compat.outside(() => 1) + seen().length)).toBe(3)
  })

  it.live("in a fiber too", () =>
    Effect.gen(function*() {
      const found = yield* Effect.sync(() => [compat.outside(seen), request.peek("id")])
      expect(found).toEqual([[undefined, undefined], "a"])
    }).pipe(Request.provide({ id: "a" }), bridged))
})

describe("within", () => {
  it.live("runs an effect in a scope that is entered with a callback, and leaves it", () =>
    Effect.gen(function*() {
      const read = Effect.promise(async () => {
        await Promise.resolve()
        return seen()
      })
      expect(yield* read).toEqual(["a", undefined])
      const inside = Effect.zip(read, Effect.zipRight(Effect.sleep(1), read))
      expect(yield* inside.pipe(compat.within((f) => trace.run("t", f)))).toEqual([["a", "t"], ["a", "t"]])
      expect(yield* read).toEqual(["a", undefined])
      const failed = Effect.fail("no").pipe(compat.within((f) => trace.run("t", f)), Effect.flip)
      expect(yield* failed).toBe("no")
      expect(yield* read).toEqual(["a", undefined])
    }).pipe(Request.provide({ id: "a" }), bridged))
})

describe("context.locally", () => {
  it("is a child task with more entries, and leaves its parent's alone", () =>
    request.run({ id: "a" }, async () => {
      const inside = await request.locally({ user: "ann" }, async () => {
        await Promise.resolve()
        request.set("user", "bob")
        return request.toObject()
      })
      expect(inside).toEqual({ id: "a", user: "bob" })
      expect(request.toObject()).toEqual({ id: "a" })
    }))
})
