import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Effect, Fiber, Layer, Logger } from "effect"
import { plain, sleep } from "../support.js"

class Request extends Context.Tag("test/annotations/logs/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

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
