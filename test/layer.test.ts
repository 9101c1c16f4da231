import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context, ContextLayer, Ctx } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Config, ConfigProvider, Effect, Fiber, Layer, Logger, Tracer } from "effect"
import { plain, sleep } from "./support.js"

class Request extends Context.Tag("test/layer/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

describe("seeding layers", () => {
  it.effect("succeed", () =>
    Effect.map(Request.data, (data) => expect(plain(data)).toEqual({ id: "a" })).pipe(
      Effect.provide(ContextLayers.succeed(Request, { id: "a" }))
    ))
  it.effect("effect, with the effect's error", () =>
    Effect.gen(function*() {
      const seed = ContextLayers.effect(Request, Effect.succeed({ id: "a", user: "ann" }))
      expect(plain(yield* Effect.provide(Request.data, seed))).toEqual({ id: "a", user: "ann" })
      const failing = ContextLayers.effect(Request, Effect.fail("no" as const))
      expect(yield* Effect.flip(Effect.provide(Request.data, failing))).toBe("no")
    }))
  it.effect("config, with the config's error", () =>
    Effect.gen(function*() {
      const seed = ContextLayers.config(Request, Config.all({ id: Config.string("ID"), user: Config.string("USER") }))
      const provider = (entries: ReadonlyArray<readonly [string, string]>) =>
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))
      const read = Effect.provide(Request.data, seed)
      expect(plain(yield* Effect.provide(read, provider([["ID", "a"], ["USER", "ann"]])))).toEqual({
        id: "a",
        user: "ann"
      })
      expect(yield* Effect.flip(Effect.provide(read, provider([])))).toMatchObject({ _op: "And" })
    }))
  it.live("ContextLayer attaches the ready-made context, empty, with the bridge", () =>
    Effect.gen(function*() {
      expect(yield* Ctx.size).toBe(0)
      yield* Ctx.set("a", 1)
      expect(yield* Effect.promise(() => sleep(1).then(() => context.get("a")))).toBe(1)
    }).pipe(Effect.provide(ContextLayer)))
})

/** A logger that keeps each line with its annotations. */
const recording = () => {
  const lines: Array<readonly [unknown, object]> = []
  const layer = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, message }) => {
      lines.push([(message as Array<unknown>)[0], plain(annotations)])
    })
  )
  return { lines, layer }
}

describe("logAnnotations", () => {
  const annotated = ContextLayers.logAnnotations(Request)
  const program = Effect.gen(function*() {
    yield* Effect.log("seeded")
    yield* Request.set("user", "ann")
    yield* Effect.log("set")
    yield* Effect.flatMap(Effect.fork(Effect.zipRight(Request.set("user", "bob"), Effect.log("child"))), Fiber.join)
    yield* Request.locally({ user: "eve" })(Effect.log("locally"))
    yield* Effect.log("inner").pipe(Request.provide({ id: "inner" }))
    yield* Request.delete("user")
    yield* Effect.log("deleted").pipe(Effect.annotateLogs("own", true))
  })
  const expected = [
    ["seeded", { id: "a" }],
    ["set", { id: "a", user: "ann" }],
    ["child", { id: "a", user: "bob" }],
    ["locally", { id: "a", user: "eve" }],
    ["inner", { id: "inner" }],
    ["deleted", { id: "a", own: true }]
  ]
  it.effect("every line carries the entries as they are at that line, the layer outside the context", () =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      yield* program.pipe(Request.provide({ id: "a" }), Effect.provide(annotated), Effect.provide(layer))
      expect(lines).toEqual(expected)
    }))
  it.effect("and the layer inside the context", () =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      yield* program.pipe(
        Effect.provide(annotated),
        Effect.provide(Layer.merge(Request.layer({ id: "a" }), layer))
      )
      expect(lines).toEqual(expected)
    }))
  it.effect("and the context built on the layer", () =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      yield* program.pipe(
        Effect.provide(Request.layer({ id: "a" }).pipe(Layer.provideMerge(annotated), Layer.provideMerge(layer)))
      )
      expect(lines).toEqual(expected)
    }))
  it.effect("of the keys that are named, and nothing once the region is left", () =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      yield* Effect.gen(function*() {
        yield* Effect.log("in").pipe(Effect.provide(ContextLayers.logAnnotations(Request, ["user"])))
        yield* Effect.log("out")
        yield* Request.set("user", "bob")
        yield* Effect.log("still out")
      }).pipe(Request.provide({ id: "a", user: "ann" }), Effect.provide(layer))
      expect(lines).toEqual([["in", { user: "ann" }], ["out", {}], ["still out", {}]])
    }))
  it.live("of what promise code sets and logs", () =>
    Effect.gen(function*() {
      const { layer, lines } = recording()
      const request = compat.make(Request)
      yield* Effect.promise(async () => {
        await sleep(1)
        request.set("user", "promised")
        await compat.runPromise(Effect.log("from promise code"))
      }).pipe(
        Effect.zipRight(Effect.log("after it")),
        Request.provide({ id: "a" }),
        Effect.provide([annotated, layer, compat.layer])
      )
      expect(lines).toEqual([
        ["from promise code", { id: "a", user: "promised" }],
        ["after it", { id: "a", user: "promised" }]
      ])
    }))
})

describe("spanAttributes", () => {
  it.effect("every span carries the entries as they are when it starts", () =>
    Effect.gen(function*() {
      const spans: Array<Tracer.Span> = []
      const native = yield* Effect.tracer
      const tracer = Tracer.make({
        span: (...args) => {
          const span = native.span(...args)
          spans.push(span)
          return span
        },
        context: (f) => f()
      })
      yield* Effect.gen(function*() {
        yield* Effect.void.pipe(Effect.withSpan("first"))
        yield* Request.set("user", "ann")
        yield* Effect.void.pipe(Effect.withSpan("second"))
      }).pipe(
        Request.provide({ id: "a" }),
        Effect.provide(ContextLayers.spanAttributes(Request)),
        Effect.withTracer(tracer)
      )
      yield* Effect.void.pipe(Effect.withSpan("outside"), Effect.withTracer(tracer))
      expect(spans.map((span) => [span.name, Object.fromEntries(span.attributes)])).toEqual([
        ["first", { id: "a" }],
        ["second", { id: "a", user: "ann" }],
        ["outside", {}]
      ])
    }))
})
