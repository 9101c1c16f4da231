/**
 * A context for each request to an `@effect/platform` server: seeded from its headers, attached around all of its
 * handling, echoed on its response.
 *
 * It is a middleware of the *server*, and the outermost one: `HttpServer.serve(router, flow(HttpMiddleware.logger, ctx))`,
 * or over the app of a web handler: `HttpApp.toWebHandler(ctx(app))`.
 * Routing, error conversion, the access log and the bodies of streams are then inside of it; as a middleware of a
 * router it would only see the handlers. `HttpLayerRouter.serve` puts its own logger outside of what it is given: there
 * say `{ disableLogger: true, middleware: flow(HttpMiddleware.logger, ctx) }`.
 *
 * @module
 * @since 1.0.0
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpApp from "@effect/platform/HttpApp"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpServerError from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type * as Context from "../Context.js"
import { namesOf } from "../internal/policy/carrier.js"
import { Passthrough } from "../internal/policy/here.js"
import { drop } from "../internal/policy/inbound.js"
import { planOf } from "../internal/policy/plan.js"
import * as served from "../internal/policy/served.js"
import * as Propagation from "../Propagation.js"

/**
 * How requests get their context.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed, E = never, R = never> {
  /** The whole seed, or an effect of it, given what the request brought. */
  readonly seed: (
    got: Partial<Shape>,
    request: HttpServerRequest.HttpServerRequest
  ) => Seed | Effect.Effect<Seed, E, R>
  /**
   * Who may set keys that are not public. Default: nobody. Judge by the socket, not by `remoteAddress`, where
   * `HttpMiddleware.xForwardedHeaders` is in use: there the client says what it is.
   */
  readonly trusted?: (request: HttpServerRequest.HttpServerRequest) => boolean
  /** `"drop"`, the default: the seed's value stands. `"reject"`: status 400, with the key and the reason. */
  readonly invalid?: "drop" | "reject"
  /** Keys with a `header` that every response shows, with the value of that moment. */
  readonly echo?: ReadonlyArray<Context.Key<Shape>>
  /** Keeps baggage that is no context's, if a trusted peer sent it, and sends it on to trusted peers. */
  readonly passthrough?: boolean
}

/**
 * The middleware. Attaches by region, which costs a few microseconds; it discharges the context.
 *
 * @category middleware
 * @since 1.0.0
 */
export const middleware = <Self, Id extends string, Shape, Seed, E2 = never, R2 = never>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, E2, R2>
): <E, R>(
  app: HttpApp.Default<E, R>
) => HttpApp.Default<E | E2, Exclude<R, Self> | R2 | HttpServerRequest.HttpServerRequest> => {
  const plan = planOf(tag)
  const echoed = served.echoing(plan, options.echo)
  const annotate = served.annotating(plan, tag.data)
  const read = Effect.map(tag.data, (entries) => (key: string) => Option.getOrUndefined(HashMap.get(entries, key)))

  const echo = (response: HttpServerResponse.HttpServerResponse) =>
    Effect.map(read, (read) => HttpServerResponse.setHeaders(response, echoed(read)))

  // a web handler reads the body of a stream in a fiber of the app's, not of the request's
  const bind = (request: HttpServerRequest.HttpServerRequest, response: HttpServerResponse.HttpServerResponse) => {
    const { body } = response
    if (body._tag !== "Stream" || !isWeb(request)) {
      return Effect.succeed(response)
    }
    return Effect.map(tag.data, (entries) => {
      const layer = tag.layer(Object.fromEntries(entries) as Seed)
      const stream = Stream.provideSomeLayer(body.stream, layer)
      return HttpServerResponse.setBody(response, HttpBody.stream(stream, body.contentType, body.contentLength))
    })
  }

  const finish = (request: HttpServerRequest.HttpServerRequest, response: HttpServerResponse.HttpServerResponse) =>
    Effect.flatMap(echo(response), (response) => bind(request, response))

  // What a middleware inside answers itself, by its result or its failure, is seen by no handler of responses; nor is
  // anything where the app itself was wrapped.
  const finished = <E, R>(
    request: HttpServerRequest.HttpServerRequest,
    app: HttpApp.Default<E, R>
  ): HttpApp.Default<E, R | Self> =>
    app.pipe(
      // it runs in the region, which the type of a handler cannot say
      HttpApp.withPreResponseHandler(finish as unknown as HttpApp.PreResponseHandler),
      Effect.flatMap((response) => finish(request, response)),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.flatMap(HttpServerError.causeResponse(cause), ([response, rest]) =>
            Effect.flatMap(
              finish(request, response),
              (response) => Effect.failCause(Cause.sequential(rest, Cause.die(response)))
            ))
      )
    )

  return (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const trust = options.trusted?.(request) ? "trusted" : "public"
      const carrier = served.distinct(request.headers, request.source)
      const { entries, errors } = Propagation.decode(tag, carrier, { trust })
      const [error] = options.invalid === "reject" ? errors : []

      const inner = error === undefined
        ? Effect.zipRight(drop(errors), app)
        : Effect.succeed(HttpServerResponse.unsafeJson(served.refusal(error), { status: 400 }))
      const handled = Effect.ensuring(finished(request, Effect.zipRight(annotate, inner)), annotate)
      const passed = options.passthrough
        ? Effect.provideService(
          handled,
          Passthrough,
          trust === "trusted" ? served.others(plan, request.headers["baggage"]) : []
        )
        : handled
      const seed = options.seed(entries, request)
      return Effect.flatMap(Effect.isEffect(seed) ? seed : Effect.succeed(seed), (seed) => tag.provide(seed)(passed))
    }) as never
}

const isWeb = ({ source }: HttpServerRequest.HttpServerRequest): boolean =>
  typeof Request === "function" && source instanceof Request

/**
 * Keeps a context's headers, and `baggage`, off the attributes of spans: the tracers of servers and clients record every
 * header but a few. It goes over the layer that serves.
 *
 * @category layers
 * @since 1.0.0
 */
export const redact = (tag: { readonly key: string }) => <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
  Layer.locallyWith(layer, Headers.currentRedactedNames, (names) => [...names, ...namesOf(planOf(tag))])
