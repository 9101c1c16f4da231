/**
 * A context for each job of BullMQ, by its option `telemetry`: the same for queues, flow producers and workers.
 *
 * - **Out.** The carrier is stored with the job's telemetry metadata, whoever adds it: one by one, in bulk, as a flow, by a
 *   scheduler. It goes through delays, retries and all runs of a scheduler. `keys` says what is written.
 * - **In.** Each run of a job is a task with the context attached: seeded from what its producer had, at each attempt anew,
 *   and never with what the worker or the job before had. A processor reads it with `compat.make(Ctx)`, and effects that it
 *   runs with `compat.runPromise`. A job without metadata has a fresh seed.
 * - **No job fails for its context.** What is missing, damaged, too long, or of another release is as if it had not been
 *   sent; it is counted in the metric `aiocontext_inbound_dropped`.
 *
 * Telemetry of your own goes into `inner`. A sandboxed processor runs in another process, where nothing is attached.
 *
 * @module
 * @since 1.0.0
 */
import type { Span, SpanKind, Telemetry } from "bullmq"
import * as compat from "../compat.js"
import * as Context from "../Context.js"
import { type Carrier, write } from "../internal/policy/carrier.js"
import * as elements from "../internal/policy/element.js"
import { count } from "../internal/policy/inbound.js"
import { only, planOf } from "../internal/policy/plan.js"
import * as Propagation from "../Propagation.js"

/**
 * How jobs carry a context.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed> {
  /** The whole seed, given what the job brought. */
  readonly seed: (got: Partial<Shape>) => Seed
  /** The keys that are written, of those with a wire name. Default: all. */
  readonly keys?: ReadonlyArray<Context.Key<Shape>>
  /** Other telemetry, as that of `bullmq-otel`, which has its spans and its metadata beside the context. */
  readonly inner?: Telemetry
}

/** What BullMQ hands on from one call of the telemetry to the next. */
interface Held {
  /** The inner telemetry's context. */
  readonly here: unknown
  /** The same, of the job's producer. */
  readonly parent?: unknown
  /** What the job brought. */
  readonly carrier?: unknown
  readonly kind?: SpanKind | undefined
}

// the package itself is not imported
const consumer: SpanKind.CONSUMER = 4

/** What ends a run. The worker then fetches the next job, and adds the next run of its scheduler, in the same task. */
const isEnd = (span: string): boolean => /^(?:complete|fail|retry|delay) /.test(span)

/** The run of a job. */
class Run extends Context.Tag("aiocontext/BullMQ/Run")<Run, { readonly isOver: boolean }>() {}

/**
 * The telemetry of a context. Costs some tens of microseconds a job, beside several round trips to Redis.
 *
 * @example
 * ```ts
 * import { compat } from "aiocontext"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as BullMQContext from "aiocontext/propagation/BullMQ"
 * import { Queue, Worker } from "bullmq"
 * import type { ConnectionOptions } from "bullmq"
 * import { Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 * const request = compat.make(Request)
 *
 * const start = (connection: ConnectionOptions) => {
 *   const telemetry = BullMQContext.telemetry(Request, { seed: (got) => ({ tenant: "none", ...got }) })
 *   const worker = new Worker("mails", async ({ data }) => `${data.to} of ${request.get("tenant")}`, {
 *     connection,
 *     telemetry
 *   })
 *   return { queue: new Queue("mails", { connection, telemetry }), worker }
 * }
 * ```
 *
 * @category constructors
 * @since 1.0.0
 */
export const telemetry = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>>
): Telemetry => {
  const { inner = silent, keys, seed } = options
  const { contextManager, meter, tracer } = inner
  const plan = only(planOf(tag), keys)
  const map = compat.make(tag)
  const run = compat.make(Run)

  const carrierHere = (): Carrier =>
    run.peek("isOver") ? {} : write(plan, (key) => map.peek(key as Context.Key<Shape>), "trusted")

  const seeded = (carrier: unknown): Seed => {
    const { entries, errors } = Propagation.decode(tag, carrier as Propagation.Source)
    count(errors)
    return seed(entries)
  }

  return {
    tracer: {
      startSpan(name, options, held?: Held) {
        if (isEnd(name) && run.attached) {
          run.set("isOver", true)
        }
        return spanOf(tracer.startSpan(name, options, held?.parent), options?.kind)
      }
    },
    contextManager: {
      active: (): Held => ({ here: contextManager.active() }),
      // also where there is nothing to carry: the runs of a scheduler keep it, and would else take what is there
      getMetadata: ({ here }: Held) =>
        JSON.stringify(elements.put(parse(contextManager.getMetadata(here)), carrierHere(), true)),
      fromMetadata({ here }: Held, metadata): Held {
        const { carrier, element } = elements.take(parse(metadata))
        const rest = carrier === undefined ? metadata : format(element)
        return { here, carrier, parent: rest && contextManager.fromMetadata(here, rest) }
      },
      with: ({ carrier, here, kind }: Held, f) =>
        contextManager.with(
          here,
          (kind === consumer ? () => run.run({ isOver: false }, () => map.run(seeded(carrier), f)) : f) as typeof f
        )
    },
    ...meter ? { meter } : {}
  }
}

/** An inner telemetry's metadata, to put a carrier into: an object where it is one. */
const parse = (metadata: string | undefined): unknown => {
  try {
    const value: unknown = JSON.parse(metadata || "{}")
    return elements.isPlain(value) ? value : metadata
  } catch {
    return metadata
  }
}

/** What is left of such metadata without the carrier; `undefined` where there was none. */
const format = (element: unknown): string | undefined =>
  elements.isPlain(element) && Object.keys(element).length > 0
    ? JSON.stringify(element)
    : typeof element === "string"
    ? element
    : undefined

const spanOf = (span: Span, kind: SpanKind | undefined): Span => ({
  setSpanOnContext: ({ carrier, here, parent }: Held): Held => ({
    carrier,
    here: span.setSpanOnContext(parent ?? here),
    kind
  }),
  setAttribute: (key, value) => span.setAttribute(key, value),
  setAttributes: (attributes) => span.setAttributes(attributes),
  addEvent: (name, attributes) => span.addEvent(name, attributes),
  recordException: (exception, time) => span.recordException(exception, time),
  end: () => span.end()
})

/** What takes the place of an inner telemetry: spans that do nothing. */
const silentSpan: Span = {
  setSpanOnContext: (context) => context,
  setAttribute() {},
  setAttributes() {},
  addEvent() {},
  recordException() {},
  end() {}
}

const silent: Telemetry = {
  tracer: { startSpan: () => silentSpan },
  contextManager: {
    active: () => undefined,
    with: (_, f) => f(),
    getMetadata: () => "",
    fromMetadata: () => undefined
  }
}
