/**
 * A context for each call of an `@effect/rpc` server, over whatever protocol: seeded from the call's headers, attached
 * around its handler, whether that is an effect, a stream or a mailbox.
 *
 * - **One tag, two layers.** The group's middleware says `wrap: true`, `provides: Ctx` and `requiredForClient: true`; its
 *   two sides are {@link layerServer} and {@link layerClient}. Calls and handlers stay as they are.
 * - **Seed.** It gets what came in, and gives the whole seed or an effect of it.
 * - **Trust.** `"public"` on both sides until you say otherwise. Headers inside of a call's body go over those of its HTTP
 *   request, so a proxy that strips headers protects no RPC server: trust only what nobody else can reach.
 * - **Invalid input.** Dropped, or with `invalid: "reject"` that call fails with `InboundError`, and no other one.
 * - **Two contexts** are two middlewares. Keys with a `span` stand on the span of the call, as it is at its start and end.
 *
 * @module
 * @since 1.0.0
 */
import * as Headers from "@effect/platform/Headers"
import type * as Rpc from "@effect/rpc/Rpc"
import * as RpcMiddleware from "@effect/rpc/RpcMiddleware"
import * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Scope } from "effect/Scope"
import type * as Context from "../Context.js"
import { othersHere, readHere } from "../internal/policy/here.js"
import { additions } from "../internal/policy/outbound.js"
import { planOf } from "../internal/policy/plan.js"
import type { Trust } from "../internal/policy/policy.js"
import { annotating } from "../internal/policy/served.js"
import * as Propagation from "../Propagation.js"

/**
 * A call as its server got it.
 *
 * @category models
 * @since 1.0.0
 */
export interface Call {
  readonly clientId: number
  readonly rpc: Rpc.AnyWithProps
  readonly payload: unknown
  /** Those of the HTTP request, if there is one, and over them those of the call itself: the caller wrote both. */
  readonly headers: Headers.Headers
}

/**
 * What `invalid: "reject"` is refused with where the middleware does not say that it fails so.
 *
 * @category types
 * @since 1.0.0
 */
export interface TheMiddlewareNeedsTheFailure {
  /** To be given to `RpcMiddleware.Tag`, alone or in a union. */
  readonly failure: typeof Propagation.InboundError
}

/**
 * How calls get their context. `E` is the failure of the middleware.
 *
 * @category options
 * @since 1.0.0
 */
export interface ServerOptions<Shape, Seed, E = never, R = never> {
  /** The whole seed, or an effect of it, given what the call brought. */
  readonly seed: (got: Partial<Shape>, call: Call) => Seed | Effect.Effect<Seed, E, R>
  /** Who calls. Default: `"public"`, whose callers set keys that say `in: "public"` and no others. */
  readonly trust?: Trust
  /**
   * `"drop"`, the default: the seed's value stands. `"reject"`: the call fails with the first `InboundError`, for which
   * the middleware's tag says `failure: InboundError`.
   */
  readonly invalid?: "drop" | ([Propagation.InboundError] extends [E] ? "reject" : TheMiddlewareNeedsTheFailure)
}

/**
 * The server's side of the middleware. Attaches by region, which costs a few microseconds a call.
 *
 * @example
 * ```ts
 * import { Rpc, RpcGroup, RpcMiddleware, RpcTest } from "@effect/rpc"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as RpcContext from "aiocontext/propagation/Rpc"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * class RequestRpc extends RpcMiddleware.Tag<RequestRpc>()("RequestRpc", {
 *   wrap: true,
 *   provides: Request,
 *   requiredForClient: true
 * }) {}
 * class Api extends RpcGroup.make(Rpc.make("Who", { success: Schema.String })).middleware(RequestRpc) {}
 *
 * const layer = Layer.mergeAll(
 *   Api.toLayer({ Who: () => Request.get("tenant") }),
 *   RpcContext.layerServer(RequestRpc, Request, { seed: (got) => ({ tenant: "none", ...got }), trust: "trusted" }),
 *   RpcContext.layerClient(RequestRpc, Request, { trust: "trusted" })
 * )
 *
 * const program = Effect.flatMap(RpcTest.makeClient(Api), (client) => client.Who()).pipe(
 *   Request.provide({ tenant: "acme" })
 * )
 * console.log(await Effect.runPromise(Effect.scoped(Effect.provide(program, layer)))) // => acme
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layerServer = <Middleware, E, Self, Id extends string, Shape, Seed, R = never>(
  middleware: EffectContext.Tag<Middleware, RpcMiddleware.RpcMiddlewareWrap<Self, E>>,
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  { invalid, seed, trust = "public" }: ServerOptions<NoInfer<Shape>, NoInfer<Seed>, NoInfer<E>, R>
): Layer.Layer<Middleware, never, R> => {
  const annotate = annotating(planOf(tag), tag.data)
  return Layer.effect(
    middleware,
    Effect.map(Effect.context<R>(), (services) => {
      const seeded = (got: Partial<Shape>, call: Call) => {
        const given = seed(got, call)
        return Effect.isEffect(given)
          ? Effect.mapInputContext(given, (here: EffectContext.Context<never>) => EffectContext.merge(services, here))
          : given
      }
      return ({ next, ...call }) =>
        Effect.ensuring(Effect.zipRight(annotate, next), annotate).pipe(
          Propagation.restore(tag, call.headers, (got) => seeded(got, call), {
            trust,
            invalid: invalid === "reject" ? "reject" : "drop"
          })
          // what a rejection fails with is the middleware's failure: the type of the option says so
        ) as Effect.Effect<RpcMiddleware.SuccessValue, E>
    })
  )
}

/**
 * Whom calls go to.
 *
 * @category options
 * @since 1.0.0
 */
export interface ClientOptions {
  /** Whether the server is sent keys that are not public. Default: `"public"`, it is not. */
  readonly trust?: Trust
}

/**
 * The client's side of the middleware: each call carries the entries of the fiber that makes it. A header that the call
 * has already stays; of its `baggage` the context's own members are replaced. Where the context is not attached, calls go
 * out as they are.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerClient = <Middleware, Service>(
  middleware: EffectContext.Tag<Middleware, Service>,
  tag: Context.Any,
  { trust = "public" }: ClientOptions = {}
): Layer.Layer<RpcMiddleware.ForClient<Middleware>> => {
  const plan = planOf(tag)
  const here = Effect.all({ read: readHere(tag, plan), others: trust === "trusted" ? othersHere : Effect.succeed([]) })
  const client = RpcMiddleware.layerClient(middleware, ({ request }) =>
    Effect.map(here, ({ others, read }) => ({
      ...request,
      headers: Headers.setAll(
        request.headers,
        additions(plan, read, trust, (name) => request.headers[name], others)
      )
    })))
  // without the services of whoever builds it: calls would be given a context that their fiber does not have
  const alone = (services: EffectContext.Context<Scope>) => EffectContext.pick(Scope)(services)
  return Layer.scopedContext(Effect.mapInputContext(Layer.build(client), alone))
}
