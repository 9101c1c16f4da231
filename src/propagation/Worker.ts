/**
 * A context for each message to a worker of `@effect/platform`: a worker thread, a child process, a web worker.
 *
 * - **Two layers.** {@link layerPlatform} goes over the platform that spawns, {@link layerRunner} over the one that runs.
 *   Requests, handlers, pools and streams stay as they are.
 * - **On the wire.** The entries are a fifth element of the message. A side that does not know it sees the four that it knows,
 *   so either side may be released first. Several contexts share the element; each has its two layers.
 * - **Trust.** A worker is one's own: all keys that have a wire name travel, but for those that say `in: false` or
 *   `out: false`.
 * - **Seed.** It gets what came in, and gives the whole seed or an effect of it. What is absent or not as its key says is
 *   left to the seed: a context fails no message.
 * - **RPC over workers** has its own headers, with `aiocontext/propagation/Rpc`. Its messages pass here untouched.
 *
 * @module
 * @since 1.0.0
 */
import * as Worker from "@effect/platform/Worker"
import { WorkerError } from "@effect/platform/WorkerError"
import * as WorkerRunner from "@effect/platform/WorkerRunner"
import * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Context from "../Context.js"
import type { Carrier } from "../internal/policy/carrier.js"
import { readHere } from "../internal/policy/here.js"
import { additions } from "../internal/policy/outbound.js"
import { planOf } from "../internal/policy/plan.js"
import * as Propagation from "../Propagation.js"

/** A request to a worker, with room for the carrier. */
type Request = readonly [id: number, data: 0, payload: unknown, span: unknown, carrier?: unknown]

const isRequest = (message: unknown): message is Request =>
  Array.isArray(message) && message.length >= 4 && typeof message[0] === "number" && message[1] === 0

const isInterrupt = (message: unknown): message is readonly [id: number, interrupt: 1] =>
  Array.isArray(message) && message.length === 2 && typeof message[0] === "number" && message[1] === 1

/**
 * The platform of the layers below, with the context's entries on each message: those of the fiber that sends it. Where the
 * context is not attached, messages go out as they are.
 *
 * `NodeWorker.layer` and its like close over a platform of their own; it is `layerPlatform` of those that this goes over.
 *
 * @example
 * ```ts
 * import { Worker } from "@effect/platform"
 * import { NodeWorker } from "@effect/platform-node"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as WorkerContext from "aiocontext/propagation/Worker"
 * import { Layer, Schema } from "effect"
 * import * as WorkerThreads from "node:worker_threads"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const workers = Worker.layerManager.pipe(
 *   Layer.provide(WorkerContext.layerPlatform(Request)),
 *   Layer.provideMerge(NodeWorker.layerPlatform(() => new WorkerThreads.Worker(new URL("./worker.js", import.meta.url))))
 * )
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layerPlatform = (
  tag: Context.Any
): Layer.Layer<Worker.PlatformWorker, never, Worker.PlatformWorker> => {
  const plan = planOf(tag)
  const read = readHere(tag, plan)

  const addressed = <I>(message: I): Effect.Effect<I> =>
    !isRequest(message) ? Effect.succeed(message) : Effect.map(read, (read) => {
      const [id, data, payload, span, carrier] = message
      // of another context, whose layer is above this one
      const others = carrier as Carrier | undefined
      const all = { ...others, ...additions(plan, read, "trusted", (name) => others?.[name]) }
      return Object.keys(all).length === 0 ? message : [id, data, payload, span, all] as I
    })

  return Layer.effect(
    Worker.PlatformWorker,
    Effect.map(Worker.PlatformWorker, (platform) => ({
      ...platform,
      spawn: <I, O>(id: number) =>
        Effect.map(platform.spawn<I, O>(id), (worker) => ({
          ...worker,
          send: (message: I, transfers?: ReadonlyArray<unknown>) =>
            Effect.flatMap(addressed(message), (message) => worker.send(message, transfers))
        }))
    }))
  )
}

/**
 * How messages get their context.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed, R = never> {
  /** The whole seed, or an effect of it, given what the message brought. */
  readonly seed: (got: Partial<Shape>) => Seed | Effect.Effect<Seed, never, R>
}

/**
 * The platform of the layers below, with the context attached around each message. Handlers are collected when the runner's
 * layer is built, so give that `Layer.late(Ctx)`. A seed that dies is its message's defect, and no other one's.
 *
 * @example
 * ```ts
 * import { WorkerRunner } from "@effect/platform"
 * import { NodeWorkerRunner } from "@effect/platform-node"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as ContextLayers from "aiocontext/Layer"
 * import * as WorkerContext from "aiocontext/propagation/Worker"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const runner = WorkerRunner.layer((name: string) => Effect.map(Request.get("tenant"), (tenant) => `${name} of ${tenant}`))
 *   .pipe(
 *     Layer.provide(ContextLayers.late(Request)),
 *     Layer.provide(WorkerContext.layerRunner(Request, { seed: (got) => ({ tenant: "none", ...got }) })),
 *     Layer.provide(NodeWorkerRunner.layer)
 *   )
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layerRunner = <Self, Id extends string, Shape, Seed, R = never>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  { seed }: Options<NoInfer<Shape>, NoInfer<Seed>, R>
): Layer.Layer<WorkerRunner.PlatformRunner, never, WorkerRunner.PlatformRunner | R> =>
  Layer.effect(
    WorkerRunner.PlatformRunner,
    Effect.gen(function*() {
      const platform = yield* WorkerRunner.PlatformRunner
      const services = yield* Effect.context<R>()

      /** A region for what came in. */
      const attaching = (carrier: unknown) =>
        Propagation.extract(tag, carrier as Propagation.Source).pipe(
          Effect.flatMap((got) => {
            const given = seed(got)
            return Effect.isEffect(given) ? given : Effect.succeed(given)
          }),
          Effect.map((seed) => tag.provide(seed)),
          Effect.mapInputContext((here: EffectContext.Context<never>) => EffectContext.merge(services, here))
        )

      const start: WorkerRunner.PlatformRunner["start"] = <I, O>(closeLatch: typeof WorkerRunner.CloseLatch.Service) =>
        Effect.map(platform.start<I, O>(closeLatch), (backing): WorkerRunner.BackingRunner<I, O> => {
          // The runner can interrupt a message once its handler runs. Until then the seed is what it waits for.
          const seeding = new Map<string, Fiber.RuntimeFiber<unknown, unknown>>()
          const whileSeeding = <A, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
            Effect.withFiberRuntime((fiber) => {
              seeding.set(key, fiber)
              return Effect.ensuring(effect, Effect.sync(() => seeding.delete(key)))
            })
          const interrupt = (key: string) =>
            Effect.suspend(() => {
              const fiber = seeding.get(key)
              return fiber ? Fiber.interrupt(fiber) : Effect.void
            })

          const run: WorkerRunner.BackingRunner<I, O>["run"] = <A, E, R>(
            handler: (portId: number, message: I) => Effect.Effect<A, E, R> | void
          ) =>
            backing.run((portId, message) => {
              const handled = handler(portId, message)
              if (!Effect.isEffect(handled)) {
                return handled
              }
              if (isInterrupt(message)) {
                return Effect.zipRight(interrupt(`${portId} ${message[0]}`), handled)
              }
              return !isRequest(message)
                ? handled
                : Effect.matchCauseEffect(whileSeeding(`${portId} ${message[0]}`, attaching(message[4])), {
                  onFailure: (cause) => backing.send(portId, [message[0], 3, WorkerError.encodeCause(cause)] as O),
                  onSuccess: (provide) => provide(handled)
                  // what a message ends with is in its answer: nobody looks at what its fiber gives
                }) as Effect.Effect<A, E, R>
            })
          return { ...backing, run }
        })
      return { ...platform, start }
    })
  )
