/**
 * A context's entries on the requests of `fetch` in promise code, and of anything else that is made of undici.
 *
 * A header that the request has already stays; of its `baggage` the context's own members are replaced. Where the
 * context is not attached, requests go out as they are. Each hop of a redirect is decided anew.
 *
 * @module
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as compat from "../compat.js"
import type * as Context from "../Context.js"
import type { Read } from "../internal/policy/here.js"
import { additions, type Trusted, trustOf } from "../internal/policy/outbound.js"
import { type Plan, planOf } from "../internal/policy/plan.js"
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

/** How the running task's keys are read, as they are now. Never throws. */
const reading = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  plan: Plan
): () => Read => {
  const map = compat.make(tag)
  return () => {
    const entries = new Map(plan.wire.map(({ key }) => [key, map.peek(key as Context.Key<Shape>)]))
    return (key) => entries.get(key)
  }
}

/**
 * A `fetch` that sends the context's entries, on any runtime. It follows redirects itself, by the rules of fetch.
 *
 * @example
 * ```ts
 * import { compat } from "aiocontext"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as FetchContext from "aiocontext/propagation/Fetch"
 * import { Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", out: "public" }))
 * }) {}
 *
 * const http: typeof fetch = async (_url, init) => new Response(new Headers(init?.headers).get("x-request-id"))
 * const fetchWith = FetchContext.wrap(http, Request)
 *
 * await compat.make(Request).run({ id: "r-1" }, async () => {
 *   console.log(await (await fetchWith("http://api.test/")).text()) // => r-1
 * })
 * ```
 *
 * @category constructors
 * @since 1.0.0
 */
export const wrap = <Self, Id extends string, Shape, Seed>(
  fetch: typeof globalThis.fetch,
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options?: Options
): typeof globalThis.fetch => {
  const plan = planOf(tag)
  const readHere = reading(tag, plan)
  return (input, init) => {
    // before anything is awaited: not every runtime knows the task after that
    const read = readHere()
    const added = (trusted: Trusted | undefined) => (url: URL, headers: Headers) =>
      additions(plan, read, trustOf(url, trusted), (name) => headers.get(name))
    return follow(fetch, added(options?.trusted), added([]))(input, init)
  }
}

/** What undici tells of a request that it is about to send. */
interface Created {
  readonly request: {
    readonly origin: string | URL
    readonly path: string
    readonly method: string
    /** Names and values in turn; a text in undici 5. */
    readonly headers: Array<string> | string
    readonly addHeader: (name: string, value: string) => unknown
  }
}

const urlOf = ({ origin, path }: Created["request"]): URL | undefined => {
  try {
    return new URL(path, origin)
  } catch {
    return undefined
  }
}

const indexOf = (headers: Array<string>, name: string): number =>
  headers.findIndex((header, i) => i % 2 === 0 && String(header).toLowerCase() === name)

const onCreate = (plan: Plan, readHere: () => Read, options: Options | undefined) => (message: unknown): void => {
  const { request } = message as Created
  const { headers, method } = request
  if (method === "CONNECT" || !Array.isArray(headers)) {
    // it is for a proxy; or undici is too old to tell what the request has
    return
  }
  const has = (name: string): string | undefined => {
    const index = indexOf(headers, name)
    return index < 0 ? undefined : String(headers[index + 1])
  }
  for (
    const [name, text] of Object.entries(additions(plan, readHere(), trustOf(urlOf(request), options?.trusted), has))
  ) {
    const index = indexOf(headers, name)
    if (index < 0) {
      request.addHeader(name, text)
    } else {
      // it would be added beside the one that is there
      headers[index + 1] = text
    }
  }
}

/**
 * Has the requests of Node's `fetch` and of undici (6 and later) send the context's entries, whoever makes them, for as
 * long as the layer lives. Does nothing on runtimes whose `fetch` is another one: take {@link wrap} there.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options?: Options
): Layer.Layer<never> =>
  Layer.scopedDiscard(Effect.suspend(() => {
    const channels = globalThis.process?.getBuiltinModule?.("node:diagnostics_channel")
    const plan = planOf(tag)
    const listener = onCreate(plan, reading(tag, plan), options)
    return Effect.acquireRelease(
      Effect.sync(() => channels?.subscribe("undici:request:create", listener)),
      () => Effect.sync(() => channels?.unsubscribe("undici:request:create", listener))
    )
  }))
