import { trace } from "@opentelemetry/api"
import { registerInstrumentations } from "@opentelemetry/instrumentation"
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http"
import { PgInstrumentation } from "@opentelemetry/instrumentation-pg"
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici"
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base"
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node"
import { Effect } from "effect"
import { once } from "node:events"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import type { Check, Scenario } from "../harness/scenario.js"

const exporter = new InMemorySpanExporter()

let isInstrumented = false

/** Starts the SDK before anything that it instruments is loaded, once a process. */
const instrument = (): void => {
  if (isInstrumented) {
    return
  }
  isInstrumented = true
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register()
  registerInstrumentations({
    instrumentations: [
      new HttpInstrumentation(),
      new PgInstrumentation({ enhancedDatabaseReporting: true, requireParentSpan: true }),
      new UndiciInstrumentation()
    ]
  })
}

/** The id of the nearest span above that belongs to a request. */
const requestAbove = (span: ReadableSpan, spans: ReadonlyMap<string, ReadableSpan>): unknown => {
  const parent = span.parentSpanContext && spans.get(span.parentSpanContext.spanId)
  return parent && (parent.attributes["request_id"] ?? requestAbove(parent, spans))
}

const activeId = (): unknown => (trace.getActiveSpan() as Partial<ReadableSpan> | undefined)?.attributes?.["request_id"]

export const scenario: Scenario = {
  library: "OpenTelemetry",
  packages: [
    "@opentelemetry/sdk-trace-node",
    "@opentelemetry/instrumentation-pg",
    "@opentelemetry/instrumentation-http",
    "@opentelemetry/instrumentation-undici"
  ],
  needs: "postgres",
  start: async ({ enter, run, servers }) => {
    instrument()
    exporter.reset()
    const require = createRequire(import.meta.url)
    const http = require("node:http") as typeof import("node:http")
    const pg = require("pg") as typeof import("pg")

    const pool = new pg.Pool({ connectionString: servers.postgres, max: 4 })
    const works: Array<Check> = []
    const query = (work: number) => pool.query("select $1::int as work", [work])
    const callAnother = async (work: number) => (await fetch(`${url}/other/${work}`)).text()
    const code = {
      promises: async (check: Check) => {
        const work = works.push(check) - 1
        check.saw("in the active span", activeId())
        await query(work)
        check.saw("in the active span after a query", activeId())
        await callAnother(work)
        check.saw("in the active span after a call", activeId())
      },
      effects: (check: Check) =>
        Effect.gen(function*() {
          const work = works.push(check) - 1
          check.saw("in the active span", activeId())
          yield* Effect.tryPromise(() => query(work))
          check.saw("in the active span after a query", activeId())
          yield* Effect.tryPromise(() => callAnother(work))
          check.saw("in the active span after a call", activeId())
        })
    }
    const server = http.createServer((request, response) => {
      const id = request.headers["x-request-id"] as string | undefined
      if (id === undefined) {
        response.end()
        return
      }
      trace.getActiveSpan()?.setAttribute("request_id", id)
      void enter(id, () => run(id, code)).then(() => response.end())
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

    return {
      request: async (id) => (await fetch(url, { headers: { "x-request-id": id } })).text(),
      stop: async () => {
        server.close()
        server.closeAllConnections()
        await pool.end()
        const spans = new Map(exporter.getFinishedSpans().map((span) => [span.spanContext().spanId, span]))
        for (const span of spans.values()) {
          const id = requestAbove(span, spans)
          const values = span.attributes["db.postgresql.values"] as ReadonlyArray<string> | undefined
          if (values !== undefined) {
            works[Number(values[0])]!.saw("above the span of pg", id)
          }
          const [called] = Object.values(span.attributes).flatMap((value) =>
            /\/other\/(\d+)/.exec(String(value))?.[1] ?? []
          )
          if (called !== undefined) {
            const side = span.instrumentationScope.name.includes("undici") ? "undici" : "the server it called"
            works[Number(called)]!.saw(`above the span of ${side}`, id)
          }
        }
      }
    }
  },
  expected: {}
}
