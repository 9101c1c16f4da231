/**
 * A context's entries on the messages of an `@effect/cluster`: asks, streams, persisted messages, workflows.
 *
 * Effect hands the sender's fiber refs to an entity that lives on the same runner, and nothing to one that lives on another
 * or is woken by a stored message. Under this layer it makes no difference where an entity lives: a message carries the keys
 * that travel, and its handler runs with those, over its seed, and with nothing else of the sender's map.
 *
 * - **Messages.** Clients read the map where the message is sent; what is sent outside of the context carries nothing.
 *   Headers that a call gives by hand stay. Trust is `"trusted"`: whoever can write to the cluster's storage is.
 * - **Handlers** run with the context of their message: effects, streams, `Rpc.wrap`, effects of mailboxes. What builds
 *   them, and what that forks, runs without the context, whoever woke the entity; so do singletons. A loop of
 *   `toLayerMailbox` attaches by hand: `Propagation.restore(Request, request.headers, seed)`.
 * - **Workflows** run on entities: each execution, activity and resumption has the context of the first `execute`, in
 *   whatever process, and whoever resumes it.
 * - **What is stored.** A persisted message keeps its carrier in the database for as long as the message. `keys` says which
 *   keys that may be.
 * - **Bad input** of any kind, an older release's too, is as if the key had not been sent: a message never fails for its
 *   context.
 *
 * Handlers are collected when a layer is built, so they get the service of the context from `Layer.late`. It goes over the
 * layer that makes the `Sharding`, and everything that uses it goes over this one.
 *
 * @module
 * @since 1.0.0
 */
import type * as Envelope from "@effect/cluster/Envelope"
import * as Message from "@effect/cluster/Message"
import * as Sharding from "@effect/cluster/Sharding"
import * as Headers from "@effect/platform/Headers"
import * as Rpc from "@effect/rpc/Rpc"
import * as RpcSchema from "@effect/rpc/RpcSchema"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type * as Context from "../Context.js"
import { readHere } from "../internal/policy/here.js"
import { additions } from "../internal/policy/outbound.js"
import { only, planOf } from "../internal/policy/plan.js"
import { specOf } from "../internal/region/context.js"
import { detached } from "../internal/region/detached.js"
import * as Propagation from "../Propagation.js"

/**
 * What messages carry, and how handlers get their context.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed> {
  /**
   * The whole seed, or an effect of it, given what the message brought. A message may be handled more than once: after a
   * restart, or as a workflow that resumes. Values that are to be the same each time come from the message, not from chance.
   */
  readonly seed: (got: Partial<Shape>, message: Envelope.Request.Any) => Seed | Effect.Effect<Seed>
  /** The keys that messages carry, of those that travel to trusted peers. Default: all of them. */
  readonly keys?: ReadonlyArray<Context.Key<Shape>>
}

/**
 * The `Sharding` of the layers below, with the context on its messages. Costs some microseconds a message on each side.
 *
 * @example
 * ```ts
 * import { Entity, TestRunner } from "@effect/cluster"
 * import { Rpc } from "@effect/rpc"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as ContextLayer from "aiocontext/Layer"
 * import * as Cluster from "aiocontext/propagation/Cluster"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.NonEmptyString.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const Counter = Entity.make("Counter", [Rpc.make("Who", { success: Schema.String })])
 * const CounterLive = Counter.toLayer({ Who: () => Request.get("tenant") })
 *
 * const Runner = Cluster.layer(Request, { seed: (got) => ({ tenant: "none", ...got }) }).pipe(
 *   Layer.provideMerge(TestRunner.layer)
 * )
 * const live = CounterLive.pipe(Layer.provide(ContextLayer.late(Request)), Layer.provideMerge(Runner))
 *
 * const program = Effect.gen(function*() {
 *   const counter = yield* Counter.client
 *   return yield* counter("c-1").Who().pipe(Request.provide({ tenant: "acme" }))
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // => acme
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>>
): Layer.Layer<Sharding.Sharding, never, Sharding.Sharding> => {
  const spec = specOf("Cluster.layer", tag)
  const add = adding(tag, options)
  const attach = attaching(tag, options)
  return Layer.effect(
    Sharding.Sharding,
    Effect.map(Sharding.Sharding, (sharding) => ({
      ...sharding,
      makeClient: (entity) =>
        Effect.map(
          sharding.makeClient(entity),
          (clientOf) => (id) => withHeaders(clientOf(id), entity.protocol.requests, add)
        ),
      // for envelopes that are made by hand, as the workflow engine does
      sendOutgoing: (message, discard) =>
        message._tag === "OutgoingRequest"
          ? Effect.flatMap(add(message.envelope.headers), (headers) =>
            sharding.sendOutgoing(
              new Message.OutgoingRequest({ ...message, envelope: { ...message.envelope, headers } }),
              discard
            ))
          : sharding.sendOutgoing(message, discard),
      registerEntity: (entity, handlers, options) =>
        sharding.registerEntity(entity, Effect.map(detached(handlers, spec), attach), options),
      registerSingleton: (name, run, options) => sharding.registerSingleton(name, detached(run, spec), options)
    }))
  )
}

// -----------------------------------------------------------------------------------------------------------------
// out
// -----------------------------------------------------------------------------------------------------------------

/** Headers, and beside them the context's entries as they are where it runs. */
type Add = (headers: Headers.Headers) => Effect.Effect<Headers.Headers>

const adding = <Shape>(tag: Context.Any, { keys }: Pick<Options<Shape, never>, "keys">): Add => {
  const plan = only(planOf(tag), keys)
  return (headers) =>
    Effect.map(
      readHere(tag, plan),
      (read) => Headers.setAll(headers, additions(plan, read, "trusted", (name) => headers[name]))
    )
}

interface CallOptions {
  readonly headers?: Headers.Input | undefined
  readonly asMailbox?: boolean | undefined
}

/** The client of an entity, whose methods have the types of those beneath. */
const withHeaders = <A>(client: A, requests: ReadonlyMap<string, Rpc.Any>, add: Add): A => {
  const methods = client as { readonly [tag: string]: (payload: unknown, options: CallOptions) => never }
  const method = (tag: string, rpc: Rpc.Any) => {
    const isStream = RpcSchema.isStreamSchema((rpc as unknown as Rpc.AnyWithProps).successSchema)
    return (payload: unknown, options?: CallOptions) => {
      const called = Effect.map(
        add(Headers.fromInput(options?.headers)),
        (headers) => methods[tag]!(payload, { ...options, headers })
      )
      return isStream && !options?.asMailbox ? Stream.unwrap(called) : Effect.flatten(called)
    }
  }
  return Object.fromEntries(Array.from(requests, ([tag, rpc]) => [tag, method(tag, rpc)])) as A
}

// -----------------------------------------------------------------------------------------------------------------
// in
// -----------------------------------------------------------------------------------------------------------------

/** What a handler gives. */
type Result = Effect.Effect<any, any, any> | Stream.Stream<any, any, any> | Rpc.Wrapper<any>

/** Runs what handlers give with the contexts of their messages. */
const attaching = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  { seed }: Options<Shape, Seed>
): <Handlers extends object>(handlers: Handlers) => Handlers => {
  const seedOf = (message: Envelope.Request.Any): Effect.Effect<Seed> =>
    Effect.flatMap(Propagation.extract(tag, message.headers), (got) => {
      const seeded = seed(got, message)
      return Effect.isEffect(seeded) ? seeded : Effect.succeed(seeded)
    })

  const attach = (result: Result, message: Envelope.Request.Any): Result => {
    if (Rpc.isWrapper(result)) {
      return Rpc.wrap(result)(attach(result.value, message))
    }
    return Effect.isEffect(result)
      ? Effect.flatMap(seedOf(message), (seed) => tag.provide(seed)(result))
      : Stream.unwrap(Effect.map(seedOf(message), (seed) => Stream.provideSomeLayer(result, tag.layer(seed))))
  }

  return <Handlers extends object>(handlers: Handlers) =>
    Object.fromEntries(
      Object.entries(handlers).map(([name, handler]) => [
        name,
        // the very object goes on: a mailbox finds its reply by it
        (message: Envelope.Request.Any, ...rest: ReadonlyArray<unknown>) =>
          attach(Reflect.apply(handler, handlers, [message, ...rest]), message)
      ])
    ) as Handlers
}
