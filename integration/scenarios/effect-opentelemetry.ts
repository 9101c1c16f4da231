import { Resource, Tracer } from "@effect/opentelemetry"
import { trace } from "@opentelemetry/api"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"

const exporter = new InMemorySpanExporter()
let isRegistered = false

/** Registers the SDK once a process, as its users do at start-up. */
const register = (): void => {
  if (!isRegistered) {
    isRegistered = true
    new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
  }
}

const activeId = (): unknown => (trace.getActiveSpan() as Partial<ReadableSpan> | undefined)?.attributes?.["request_id"]

const spanPlaces = [
  "in a line, the active span",
  "in promise code, the active span",
  "in promise code after an await, the active span",
  "in a line after an await, the active span",
  "above a span of promise code"
]

export const scenario: Scenario = {
  library: "@effect/opentelemetry",
  packages: ["@effect/opentelemetry", "@opentelemetry/sdk-trace-node"],
  start: async ({ layer }) => {
    register()
    exporter.reset()
    const works: Array<Check> = []
    const tracing = Tracer.layerGlobal.pipe(Layer.provide(Resource.layer({ serviceName: "orders" })))
    const runtime = ManagedRuntime.make(Layer.provideMerge(tracing, layer))
    await runtime.runtime()
    const tracer = trace.getTracer("orders")

    /** Promise code with a span of its own. */
    const legacy = async (check: Check, work: number) => {
      check.saw("in promise code, the active span", activeId())
      await setImmediate()
      check.saw("in promise code after an await, the active span", activeId())
      tracer.startSpan("inner", { attributes: { work } }).end()
    }
    return {
      runtime,
      promises: (check) =>
        tracer.startActiveSpan("request", { attributes: { request_id: check.id } }, async (span) => {
          const work = works.push(check) - 1
          check("before an await")
          check.saw("in a line, the active span", activeId())
          await legacy(check, work)
          check("after an await")
          check.saw("in a line after an await, the active span", activeId())
          span.end()
        }),
      effects: (check) =>
        Effect.gen(function*() {
          const work = works.push(check) - 1
          check("before an await")
          check.saw("in a line, the active span", activeId())
          yield* Effect.promise(() => legacy(check, work))
          check("after an await")
          check.saw("in a line after an await, the active span", activeId())
        }).pipe(Effect.withSpan("request", { attributes: { request_id: check.id } })),
      stop: async () => {
        await runtime.dispose()
        const spans = new Map(exporter.getFinishedSpans().map((span) => [span.spanContext().spanId, span]))
        for (const { attributes, name, parentSpanContext } of spans.values()) {
          if (name === "inner") {
            const above = parentSpanContext && spans.get(parentSpanContext.spanId)
            works[attributes["work"] as number]!.saw("above a span of promise code", above?.attributes["request_id"])
          }
        }
      }
    }
  },
  expected: Object.fromEntries(
    spanPlaces.map((place) => [place, { woken: "kept", why: "the tracer sets the fiber's span before each operation" }])
  )
}
