import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Effect, Fiber, Layer, Logger } from "effect"
import type { Tracer } from "effect"

// Log lines and spans carry the entries of the fiber that writes the line or starts the span, as they are then.

class Request extends Context.Tag("test/annotations/children/Request")<Request>() {}

type Seen = Record<string, unknown>

/** What a log line of this place carries. */
const logged = Effect.suspend(() => {
  let seen: Seen = {}
  const logger = Logger.make<unknown, void>(({ annotations }) => {
    seen = Object.fromEntries(annotations)
  })
  return Effect.log("line").pipe(
    Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
    Effect.map(() => seen)
  )
})

/** What a span that starts in this place carries. */
const traced: Effect.Effect<Seen> = Effect.useSpan(
  "span",
  (span: Tracer.Span) => Effect.sync(() => Object.fromEntries(span.attributes))
)

const cases = {
  "log lines": { layer: ContextLayers.logAnnotations(Request), seen: logged, annotate: Effect.annotateLogs },
  spans: { layer: ContextLayers.spanAttributes(Request), seen: traced, annotate: Effect.annotateSpans }
}

for (const [name, { annotate, layer, seen }] of Object.entries(cases)) {
  const positions = {
    "inside the context": <A, E>(effect: Effect.Effect<A, E, Request>) =>
      effect.pipe(Effect.provide(layer), Request.provide({})),
    "outside the context": <A, E>(effect: Effect.Effect<A, E, Request>) =>
      effect.pipe(Request.provide({}), Effect.provide(layer)),
    "merged with other layers": <A, E>(effect: Effect.Effect<A, E, Request>) =>
      effect.pipe(
        Effect.provide(Layer.mergeAll(layer, Layer.scopedDiscard(Effect.void))),
        Effect.provide(Request.layer({}))
      )
  }
  for (const [where, region] of Object.entries(positions)) {
    describe(`${name}, with the layer ${where}`, () => {
      it.effect("a joined child's entries stay with the child", () =>
        region(Effect.gen(function*() {
          const child = yield* Effect.fork(Effect.zipRight(Request.set("user", "child"), seen))
          expect(yield* Fiber.join(child)).toEqual({ user: "child" })
          expect(yield* seen).toEqual({})
          yield* Request.set("user", "parent")
          yield* Effect.all([1, 2, 3].map((user) => Request.set("user", user)), { concurrency: "unbounded" })
          expect(yield* seen).toEqual({ user: "parent" })
        })))

      it.effect("a child's entries under annotations of its own stay with the child too", () =>
        region(Effect.gen(function*() {
          yield* Request.set("user", "parent")
          const child = yield* Effect.fork(Effect.gen(function*() {
            yield* annotate(Effect.void, "mine", 1)
            yield* Request.set("user", "child")
            return yield* annotate(seen, "mine", 1)
          }))
          expect(yield* Fiber.join(child)).toEqual({ user: "child", mine: 1 })
          expect(yield* seen).toEqual({ user: "parent" })
        })))
    })
  }
}

describe("what a join brings", () => {
  class Merged extends Context.Tag("test/annotations/children/Merged")<Merged>({ join: "merge" }) {}

  for (
    const [name, { layer, seen }] of Object.entries({
      "log lines": { layer: ContextLayers.logAnnotations(Merged), seen: logged },
      spans: { layer: ContextLayers.spanAttributes(Merged), seen: traced }
    })
  ) {
    it.effect(`is on the ${name} after it`, () =>
      Effect.gen(function*() {
        yield* Merged.set("total", 1)
        yield* Effect.flatMap(Effect.fork(Merged.set("total", 2)), Fiber.join)
        expect(yield* seen).toEqual({ total: 2 })
        yield* Effect.all([Merged.set("left", 3), Merged.set("right", 4)], { concurrency: 2 })
        expect(yield* seen).toEqual({ total: 2, left: 3, right: 4 })
        yield* Effect.flatMap(Effect.fork(Merged.delete("total")), Fiber.join)
        expect(yield* seen).toEqual({ left: 3, right: 4 })
      }).pipe(Effect.provide(layer), Merged.provide({})))
  }
})
