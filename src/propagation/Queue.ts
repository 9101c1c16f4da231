/**
 * A context's entries in the elements of a `PersistedQueue` of `@effect/experimental`, and with it of a `DurableQueue` of
 * `@effect/workflow`, over any of its stores.
 *
 * - **Out.** The carrier sits inside of the encoded object, under `~aiocontext`: consumers without this layer read on. What
 *   a store keeps for days is user data: `keys` says what is written. Elements that encode to a text, a number or an array
 *   are left alone; `wrap` says otherwise.
 * - **In.** Each element runs with the context attached, seeded from what it brought: at each attempt as its producer sent
 *   it, and never with the consumer's own. Give workers `Layer.late(Ctx)`, or any other map, to satisfy the type.
 * - **No element fails for its context.** A carrier that is missing, damaged, too long, or of another release gives the
 *   seed's own values, as with `invalid: "drop"` in `aiocontext/Propagation`.
 *
 * Whoever may write into the store is trusted.
 *
 * @module
 * @since 1.0.0
 */
import * as PersistedQueue from "@effect/experimental/PersistedQueue"
import * as Headers from "@effect/platform/Headers"
import * as HttpTraceContext from "@effect/platform/HttpTraceContext"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Context from "../Context.js"
import { globalValue } from "../internal/global.js"
import type { Carrier } from "../internal/policy/carrier.js"
import * as elements from "../internal/policy/element.js"
import { readHere } from "../internal/policy/here.js"
import { additions } from "../internal/policy/outbound.js"
import { only, planOf } from "../internal/policy/plan.js"
import * as Propagation from "../Propagation.js"

/**
 * How elements carry a context.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed> {
  /** The whole seed, or an effect of it, given what the element brought. What it throws, the element fails with. */
  readonly seed: (got: Partial<Shape>) => Seed | Effect.Effect<Seed>
  /** The keys that are written, of those with a wire name. Default: all. */
  readonly keys?: ReadonlyArray<Context.Key<Shape>>
  /** Also carries `traceparent`, and runs each element as a child of the span that offered it. Default: `false`. */
  readonly trace?: boolean
  /**
   * Stores elements that encode to no object inside of one, which only consumers with this layer can read. Default:
   * `false`, they carry nothing.
   */
  readonly wrap?: boolean
}

/**
 * The queues of the layers below, with the context's entries in their elements. Several contexts: one layer over the
 * other. Costs some tens of microseconds an element, offer and take together.
 *
 * @example
 * ```ts
 * import { PersistedQueue } from "@effect/experimental"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as QueueContext from "aiocontext/propagation/Queue"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   const queue = yield* PersistedQueue.make({ name: "mails", schema: Schema.Struct({ to: Schema.String }) })
 *   yield* queue.offer({ to: "ann" }).pipe(Request.provide({ tenant: "acme" }))
 *   yield* queue.take(({ to }) => Effect.map(Request.get("tenant"), (tenant) => console.log(to, tenant)))
 *   // => ann acme
 * })
 *
 * const queues = QueueContext.layer(Request, { seed: (got) => ({ tenant: "none", ...got }) }).pipe(
 *   Layer.provide(PersistedQueue.layer),
 *   Layer.provide(PersistedQueue.layerStoreMemory)
 * )
 * await Effect.runPromise(program.pipe(Request.provide({ tenant: "worker" }), Effect.provide(queues)))
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>>
): Layer.Layer<PersistedQueue.PersistedQueueFactory, never, PersistedQueue.PersistedQueueFactory> => {
  const { keys, seed, trace = false, wrap = false } = options
  const plan = only(planOf(tag), keys)

  // what a layer over this one wrote stays
  const carrierHere = (before: Carrier = {}): Effect.Effect<Carrier | undefined> =>
    Effect.zipWith(readHere(tag, plan), trace ? traceHere : Effect.succeed({}), (read, span) => {
      const carrier = { ...before, ...span, ...additions(plan, read, "trusted", (name) => before[name]) }
      return Object.keys(carrier).length === 0 ? undefined : carrier
    })

  const decorate = <A, I, R>(schema: Schema.Schema<A, I, R>) => {
    const isLayers = (schema as unknown) === Stored
    const encode = Schema.encodeUnknown(schema)
    const decode = Schema.decodeUnknown(schema)
    return (queue: PersistedQueue.PersistedQueue<unknown>): PersistedQueue.PersistedQueue<A, R> => ({
      ...queue,
      offer: (value, options) =>
        Effect.gen(function*() {
          const encoded = yield* encode(value)
          const { carrier, element } = isLayers ? elements.take(encoded) : { carrier: undefined, element: encoded }
          const own = yield* carrierHere(carrier as Carrier | undefined)
          return yield* queue.offer(elements.put(element, own, wrap || carrier !== undefined), options)
        }),
      take: (f, options) =>
        queue.take((stored, metadata) => {
          const { carrier, element } = elements.take(stored)
          return decode(isLayers ? stored : element).pipe(
            Effect.flatMap((value) => f(value, metadata)),
            Propagation.restore(tag, carrier as Propagation.Source, seed),
            trace ? inTraceOf(carrier) : identity
          )
        }, options)
    })
  }

  return Layer.effect(
    PersistedQueue.PersistedQueueFactory,
    Effect.map(PersistedQueue.PersistedQueueFactory, (factory) => ({
      make: ({ name, schema }) => Effect.map(factory.make({ name, schema: Stored }), decorate(schema))
    }))
  )
}

/** What a layer of this kind asks of the factory below it, which may be of such a layer too. */
const Stored: Schema.Schema<unknown> = /* @__PURE__ */ globalValue(
  "aiocontext/Queue/Stored",
  () => Schema.Unknown.annotations({ identifier: "aiocontext/Queue/Stored" })
)

/** The span that an element is offered in: one of this process, or the one that it took over. */
const traceHere: Effect.Effect<Carrier> = /* @__PURE__ */ Effect.map(
  /* @__PURE__ */ Effect.option(Effect.currentParentSpan),
  Option.match({
    onNone: () => ({}),
    onSome: ({ sampled, spanId, traceId }) => ({ traceparent: `00-${traceId}-${spanId}-${sampled ? "01" : "00"}` })
  })
)

/** Runs an effect as a child of the span that a carrier names, where it names one. */
const inTraceOf = (carrier: unknown) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const { traceparent } = (carrier ?? {}) as { readonly traceparent?: unknown }
  const span = typeof traceparent === "string"
    ? HttpTraceContext.w3c(Headers.fromInput({ traceparent }))
    : Option.none()
  return Option.isSome(span)
    // it may still read the current span, which is this one
    ? Effect.withParentSpan(effect, span.value) as Effect.Effect<A, E, R>
    : effect
}
