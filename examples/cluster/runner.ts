/** A runner in a process of its own. It says on its standard output, a JSON a line, what it logs and which spans ended. */
import { Effect, HashMap, Layer, Logger, LogLevel, Tracer } from "effect"
import { processName, runner, type Setup } from "./app.js"

/** A line of a runner's output. */
export interface Said {
  readonly kind: "ready" | "log" | "span"
  readonly process: string
  readonly what?: string
  readonly order?: number
  readonly request?: unknown
  readonly tenant?: unknown
}

const say = (said: Omit<Said, "process">): void =>
  void process.stdout.write(`${JSON.stringify({ process: processName, ...said })}\n`)

const orderIn = (message: string): number | undefined => {
  const found = /^order (\d+)/.exec(message)
  return found ? Number(found[1]) : undefined
}

const logger = Logger.make(({ annotations, message }) => {
  const what = String(message)
  const { id: request, tenant } = Object.fromEntries(HashMap.toEntries(annotations))
  say({ kind: "log", what, ...orderIn(what) === undefined ? {} : { order: orderIn(what)! }, request, tenant })
})

const span: Tracer.Tracer["span"] = (name, parent, context, links, startTime, kind) => {
  const attributes = new Map<string, unknown>()
  return {
    _tag: "Span",
    name,
    spanId: crypto.randomUUID(),
    traceId: parent._tag === "Some" ? parent.value.traceId : crypto.randomUUID(),
    parent,
    context,
    status: { _tag: "Started", startTime },
    attributes,
    links,
    sampled: true,
    kind,
    end: () => {
      const order = attributes.get("order")
      if (typeof order === "number") {
        say({ kind: "span", what: name, order, request: attributes.get("id"), tenant: attributes.get("tenant") })
      }
    },
    attribute: (key, value) => void attributes.set(key, value),
    addLinks: () => {},
    event: () => {}
  }
}

const telemetry = Layer.mergeAll(
  Logger.replace(Logger.defaultLogger, logger),
  Logger.minimumLogLevel(LogLevel.Info),
  Layer.setTracer(Tracer.make({ span, context: (f) => f() }))
)

const setup = JSON.parse(process.argv[2]!) as Setup
const live = runner(setup, Number(process.argv[4])).pipe(Layer.provide(telemetry))

// whoever started it is gone
process.on("disconnect", () => process.exit())

await Effect.runPromise(
  Effect.zipRight(Effect.sync(() => say({ kind: "ready" })), Effect.never).pipe(
    Effect.provide(live),
    Effect.provide(telemetry)
  )
)
