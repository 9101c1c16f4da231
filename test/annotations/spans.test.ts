import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Effect, Tracer } from "effect"

class Request extends Context.Tag("test/annotations/spans/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

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
