import { describe, expect, it } from "@effect/vitest"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayers from "aiocontext/Layer"
import { Effect, HashMap, Layer, Logger, Redacted, Schema } from "effect"

class Shown extends ContextSchema.Tag<Shown>("test/reach/Shown")({
  id: Schema.String.pipe(ContextSchema.key({ log: true, span: "request.id" })),
  user: Schema.optionalWith(Schema.String.pipe(ContextSchema.key({ log: "user_name" })), { exact: true }),
  quiet: Schema.String,
  secret: Schema.String.pipe(ContextSchema.key({ secret: true, log: true, span: true })),
  token: Schema.Redacted(Schema.String).pipe(ContextSchema.key({ log: "token", span: true }))
}) {}
class Silent extends ContextSchema.Tag<Silent>("test/reach/Silent")({ id: Schema.String }) {}

const seed = { id: "r-1", quiet: "q", secret: "planted", token: Redacted.make("planted") }

/** The annotations of a line of the effect. */
const lineOf = (layer: Layer.Layer<never>, effect: Effect.Effect<unknown, never, Shown | Silent>) =>
  Effect.gen(function*() {
    const lines: Array<object> = []
    const logger = Logger.make(({ annotations }) => void lines.push(Object.fromEntries(annotations)))
    yield* Effect.zipRight(effect, Effect.log("line")).pipe(
      Shown.provide(seed),
      Silent.provide({ id: "s-1" }),
      Effect.provide(Layer.merge(layer, Logger.replace(Logger.defaultLogger, logger)))
    )
    return lines[0]
  })

const attributesOf = (layer: Layer.Layer<never>) =>
  Effect.map(Effect.currentSpan, (span) => Object.fromEntries(span.attributes)).pipe(
    Effect.withSpan("test"),
    Shown.provide({ ...seed, user: "ann" }),
    Effect.provide(layer)
  )

describe("Layer.logAnnotations", () => {
  it.effect("takes the keys whose policy says log, under the policy's name", () =>
    Effect.gen(function*() {
      const layer = ContextLayers.logAnnotations(Shown)
      expect(yield* lineOf(layer, Effect.void)).toEqual({ id: "r-1" })
      expect(yield* lineOf(layer, Shown.set("user", "ann"))).toEqual({ id: "r-1", user_name: "ann" })
    }))
  it.effect("takes the keys that are named, under the policy's name where it has one", () =>
    Effect.gen(function*() {
      const layer = ContextLayers.logAnnotations(Shown, ["quiet", "user"])
      expect(yield* lineOf(layer, Shown.set("user", "ann"))).toEqual({ quiet: "q", user_name: "ann" })
    }))
  it.effect("takes no secret and no Redacted key, named or not", () =>
    Effect.gen(function*() {
      const layer = ContextLayers.logAnnotations(Shown, ["id", "secret", "token"])
      expect(yield* lineOf(layer, Effect.void)).toEqual({ id: "r-1" })
    }))
  it.effect("takes nothing where no policy says so", () =>
    Effect.map(lineOf(ContextLayers.logAnnotations(Silent), Effect.void), (line) => expect(line).toEqual({})))
  it.effect("leaves other annotations alone, also where the context has a key of their name", () =>
    Effect.gen(function*() {
      const layer = ContextLayers.logAnnotations(Shown)
      const line = yield* lineOf(layer, Effect.void).pipe(Effect.annotateLogs("quiet", "other"))
      expect(line).toEqual({ id: "r-1", quiet: "other" })
    }))
})

describe("Layer.spanAttributes", () => {
  it.effect("takes the keys whose policy says span, under the policy's name", () =>
    Effect.map(
      attributesOf(ContextLayers.spanAttributes(Shown)),
      (attributes) => expect(attributes).toEqual({ "request.id": "r-1" })
    ))
  it.effect("takes the keys that are named, and no secret or Redacted key", () =>
    Effect.map(
      attributesOf(ContextLayers.spanAttributes(Shown, ["id", "user", "secret", "token"])),
      (attributes) => expect(attributes).toEqual({ "request.id": "r-1", user: "ann" })
    ))
})

describe("a context's map", () => {
  it.effect("has its keys under their own names, whatever is shown", () =>
    Effect.map(Shown.data, (entries) => expect(HashMap.has(entries, "request.id")).toBe(false)).pipe(
      Shown.provide(seed)
    ))
})
