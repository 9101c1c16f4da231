import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayers from "aiocontext/Layer"
import * as Propagation from "aiocontext/Propagation"
import {
  Context as Services,
  Deferred,
  Effect,
  Fiber,
  HashMap,
  Layer,
  Logger,
  ManagedRuntime,
  Option,
  Schema
} from "effect"
import { bridged, inChild, plain } from "../support.js"

class Request extends ContextSchema.Tag<Request>("test/region/late/Request")({
  id: Schema.String.pipe(ContextSchema.key({ header: "x-id", log: true })),
  user: Schema.optionalWith(Schema.String, { exact: true })
}) {}
const request = compat.make(Request)

/** What a worker, a workflow or an entity does: it takes its handlers, and the services that they need, as it is built. */
class Handler extends Services.Tag("test/region/late/Handler")<Handler, Effect.Effect<string>>() {}

const handling = (handler: Effect.Effect<string, never, Request>): Layer.Layer<Handler, never, Request> =>
  Layer.effect(
    Handler,
    Effect.map(Effect.context<Request>(), (services) => Effect.provide(handler, services))
  )

const late = (handler: Effect.Effect<string, never, Request>): Layer.Layer<Handler> =>
  handling(handler).pipe(Layer.provide(ContextLayers.late(Request)))

const message = Effect.flatten(Handler)

const outside = (operation: string): string =>
  `${operation}: the context "test/region/late/Request" is not attached here: Layer.late leaves that to each message, and` +
  " this runs outside of one. Read it where a message is handled, or attach it here with Tag.provide({ … })."

describe("a handler that was collected under Layer.late", () => {
  const read = late(Request.get("id"))

  it.effect("reads the map that Tag.provide attached to its message", () =>
    Effect.gen(function*() {
      const read = (id: string) => message.pipe(Request.provide({ id }))
      expect(yield* Effect.all([read("a"), read("b")], { concurrency: 2 })).toEqual(["a", "b"])
    }).pipe(Effect.provide(read)))

  it.effect("reads the map that Propagation.restore attached to its message", () =>
    Effect.gen(function*() {
      const restored = (carrier: Propagation.Carrier) =>
        message.pipe(Propagation.restore(Request, carrier, (got) => ({ id: "none", ...got })))
      expect(yield* restored({ "x-id": "a" })).toBe("a")
      expect(yield* restored({})).toBe("none")
    }).pipe(Effect.provide(read)))

  it.effect("reads the map of a layer that its message provides", () =>
    Effect.gen(function*() {
      expect(yield* message.pipe(Effect.provide(Request.layer({ id: "a" })))).toBe("a")
    }).pipe(Effect.provide(read)))

  it.effect("reads the map of the fiber that runs, never that of whoever built the layer", () =>
    Effect.gen(function*() {
      const handler = yield* Effect.provide(Handler, read).pipe(Request.provide({ id: "builder" }))
      expect(yield* handler.pipe(Request.provide({ id: "message" }))).toBe("message")
    }))

  it.effect("writes to the map of its message, which goes on with it", () =>
    Effect.gen(function*() {
      yield* message
      expect(plain(yield* Request.data)).toEqual({ id: "a", user: "ann" })
    }).pipe(
      Request.provide({ id: "a" }),
      Effect.provide(late(Effect.as(Request.set("user", "ann"), "")))
    ))

  it.effect("has a map in its children, its promise code and its own regions", () =>
    Effect.gen(function*() {
      expect(yield* message.pipe(Request.provide({ id: "a" }))).toBe("a a inner a")
    }).pipe(
      Effect.provide(late(Effect.gen(function*() {
        const child = yield* inChild(Request.get("id"))
        const promised = yield* Effect.promise(async () => {
          await Promise.resolve()
          return request.get("id")
        })
        const inner = yield* Request.get("id").pipe(Request.provide({ id: "inner" }))
        return [child, promised, inner, yield* Request.get("id")].join(" ")
      }))),
      bridged
    ))

  it.effect("keeps its map over a wait, while another message runs", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const handler = yield* Effect.provide(
        Handler,
        late(Effect.zipRight(Deferred.await(gate), Request.get("id")))
      )
      const waiting = yield* Effect.fork(handler.pipe(Request.provide({ id: "a" })))
      const other = yield* Effect.fork(handler.pipe(Request.provide({ id: "b" })))
      yield* Deferred.succeed(gate, undefined)
      expect([yield* Fiber.join(waiting), yield* Fiber.join(other)]).toEqual(["a", "b"])
    }))

  for (const strategy of ["copy", "deepCopy", "chain", "share", (parent: Context.Entries) => parent] as const) {
    it.effect(`has a map of a context that forks by ${typeof strategy === "string" ? strategy : "a function"}`, () => {
      class Forking extends Context.Tag(`test/region/late/${String(strategy)}`)<Forking>({ fork: strategy }) {}
      const program = Effect.zip(Forking.get("id"), inChild(Forking.get("id")))
      return Effect.gen(function*() {
        const services = yield* Effect.context<Forking>()
        const got = program.pipe(Effect.provide(services), Forking.provide({ id: "a" }))
        expect(yield* got).toEqual(["a", "a"])
        expect(yield* Effect.sandbox(program).pipe(Effect.flip)).toMatchObject({
          defect: { _tag: "NotAttachedError", isLate: true }
        })
        expect(yield* Effect.fork(Effect.void).pipe(Effect.flatMap(Fiber.join))).toBe(undefined)
      }).pipe(Effect.provide(ContextLayers.late(Forking)))
    })
  }
})

describe("under Layer.late, outside a message", () => {
  const operations: Readonly<Record<string, Effect.Effect<unknown, unknown, Request>>> = {
    get: Request.get("id"),
    set: Request.set("id", "a"),
    update: Request.update("id", (id) => id),
    delete: Request.delete("user"),
    data: Request.data,
    merge: Request.merge({ user: "ann" }),
    locally: Request.locally(Effect.void, { user: "ann" })
  }
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(`${name} is a defect that says so and names the cure`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(operation)
        expect(exit).toMatchObject({ cause: { _tag: "Die", defect: { message: outside(name) } } })
      }).pipe(Effect.provide(ContextLayers.late(Request))))
  }

  it.effect("promise code throws it", () =>
    Effect.gen(function*() {
      yield* Effect.promise(async () => {
        expect(() => request.get("id")).toThrow(outside("context.get"))
        expect(request.attached).toBe(false)
        expect(request.peek("id", "none" as never)).toBe("none")
      })
    }).pipe(Effect.provide(ContextLayers.late(Request)), bridged))

  it.effect("peek finds nothing, and nothing is attached", () =>
    Effect.gen(function*() {
      expect(yield* Request.peek("id")).toEqual(Option.none())
      expect(yield* Context.attached).toEqual([])
      expect(yield* Effect.flip(Effect.withFiberRuntime<HashMap.HashMap<string, unknown>, unknown>(Request.dataOf)))
        .toMatchObject({ message: outside("dataOf") })
      expect(yield* Context.attached.pipe(Request.provide({ id: "a" }))).toEqual([Request])
    }).pipe(Effect.provide(ContextLayers.late(Request))))

  it.effect("a log line of Layer.logAnnotations has no entries, and one inside has them", () => {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make(({ annotations }) => void lines.push(Object.fromEntries(annotations)))
    return Effect.gen(function*() {
      yield* Effect.log("outside")
      yield* Effect.log("inside").pipe(Request.provide({ id: "a" }))
      expect(lines).toEqual([{}, { id: "a" }])
    }).pipe(
      Effect.provide(ContextLayers.logAnnotations(Request, ["id"])),
      Effect.provide(ContextLayers.late(Request)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
  })

  it("a managed runtime says so too, and runs what attaches the context", async () => {
    const runtime = ManagedRuntime.make(ContextLayers.late(Request))
    await expect(runtime.runPromise(Request.get("id"))).rejects.toThrow(outside("get"))
    expect(await runtime.runPromise(Request.get("id").pipe(Request.provide({ id: "a" })))).toBe("a")
    await runtime.dispose()
  })

  it.effect("where a map is attached already, it stays in force", () =>
    Effect.gen(function*() {
      expect(yield* Request.get("id").pipe(Effect.provide(ContextLayers.late(Request)))).toBe("a")
    }).pipe(Request.provide({ id: "a" })))
})

describe("Layer.late", () => {
  it("takes a context, and says so where it is given something else", () => {
    expect(() => ContextLayers.late({} as never)).toThrow("Layer.late takes a context")
  })
})
