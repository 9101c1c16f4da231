/**
 * A context's entries on the requests of an `@effect/platform` client.
 *
 * The layer goes directly over the transport: there it sees the final URL of each request, and of each hop of a redirect,
 * and decides anew for each what its server may have. (A `mapRequest` of the client runs once, before redirects: what it
 * sets reaches whomever a redirect leads to.) With the transport of fetch it follows redirects itself, by the rules of
 * fetch, for the same reason.
 *
 * A header that the request has already stays; of its `baggage` the context's own members are replaced. Where the
 * context is not attached, requests go out as they are.
 *
 * @module
 * @since 1.0.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Context from "../Context.js"
import { type Carrier, namesOf } from "../internal/policy/carrier.js"
import { othersHere, readHere } from "../internal/policy/here.js"
import { additions, type Trusted, trustOf } from "../internal/policy/outbound.js"
import { planOf } from "../internal/policy/plan.js"
import { follow } from "../internal/policy/redirects.js"

/**
 * Whom requests go to.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options {
  /**
   * The servers that are sent keys which are not public: hosts, `"api.internal"` at any port or `"api.internal:8080"`,
   * and predicates of the URL. Default: none.
   */
  readonly trusted?: ReadonlyArray<string | ((url: URL) => boolean)>
}

/**
 * A client that sends the context's entries. Costs a few microseconds a request.
 *
 * @category middleware
 * @since 1.0.0
 */
export const decorate = (
  tag: Context.Any,
  options?: Options
): <E, R>(client: HttpClient.HttpClient.With<E, R>) => HttpClient.HttpClient.With<E, R> => {
  const plan = planOf(tag)
  const names = namesOf(plan)
  const context = Effect.all({
    read: readHere(tag, plan),
    others: othersHere,
    fetch: Effect.map(Effect.serviceOption(FetchHttpClient.Fetch), Option.getOrElse(() => globalThis.fetch))
  })

  return <E, R>(client: HttpClient.HttpClient.With<E, R>) =>
    HttpClient.makeWith<never, never, E, R>(
      Effect.flatMap((request: HttpClientRequest.HttpClientRequest) =>
        Effect.flatMap(context, ({ fetch, others, read }) => {
          const added = (url: URL | undefined, has: (name: string) => string | null | undefined, trusted?: Trusted) => {
            const peer = trustOf(url, trusted)
            return additions(plan, read, peer, has, peer === "trusted" ? others : [])
          }
          const url = UrlParams.makeUrl(request.url, request.urlParams, request.hash)
          const first = added(Either.getOrUndefined(url), (name) => request.headers[name], options?.trusted)
          const hops = follow(
            fetch,
            (url, headers) => added(url, (name) => headers.get(name), options?.trusted),
            (url, headers) => added(url, (name) => headers.get(name))
          )
          return client.execute(withHeaders(request, first)).pipe(
            Effect.locallyWith(Headers.currentRedactedNames, (redacted) => [...redacted, ...names]),
            Effect.provideService(FetchHttpClient.Fetch, (input, init) =>
              hops(input, { ...init, headers: without(init?.headers, first, request.headers) }))
          )
        })
      ),
      Effect.succeed
    )
}

// The client knows by the request's identity that its response belongs to a scope (`HttpClient.withScope`).
const scoped = /* @__PURE__ */ globalValue(
  "@effect/platform/HttpClient/scopedRequests",
  () => new WeakMap<HttpClientRequest.HttpClientRequest, AbortController>()
)

const withHeaders = (request: HttpClientRequest.HttpClientRequest, headers: Headers.Input) => {
  const changed = HttpClientRequest.setHeaders(request, headers)
  const controller = scoped.get(request)
  if (controller) {
    scoped.set(changed, controller)
  }
  return changed
}

/** The headers of a request as they were before some were added: each hop gets its own. */
const without = (headers: HeadersInit | undefined, added: Carrier, before: Headers.Headers): globalThis.Headers => {
  const copy = new globalThis.Headers(headers)
  for (const name of Object.keys(added)) {
    copy.delete(name)
    if (before[name] !== undefined) {
      copy.set(name, before[name])
    }
  }
  return copy
}

/**
 * The client of the layers below, with the context's entries on its requests.
 *
 * @example
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as HttpClientContext from "aiocontext/propagation/HttpClient"
 * import { Layer, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const client = HttpClientContext.layer(Request, { trusted: ["api.internal", (url) => url.hostname.endsWith(".local")] })
 *   .pipe(Layer.provide(FetchHttpClient.layer))
 * ```
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  tag: Context.Any,
  options?: Options
): Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> =>
  Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, decorate(tag, options)))
