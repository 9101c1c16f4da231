/**
 * Requests and jobs: what is known of the one that runs.
 *
 * @since 1.0.0
 * @module
 */
import * as Effect from "effect/Effect"
import { invalidArgument } from "../../internal/argument.js"
import { serviceOfFiber, withFiber } from "../../internal/effect3/fiber.js"
import { makeSnapshot, named } from "../../internal/task/bind.js"
import { runIn } from "../../internal/task/current.js"
import * as bags from "../../internal/task/properties.js"
import { type Code, enter, keyOf, Local, startWith, type State, within } from "./locals.js"
import { onResponse, withHeader } from "./response.js"

/**
 * What is known of the request, or job, that runs.
 *
 * @since 1.0.0
 * @category models
 */
export interface Request {
  id: string
  /** The path, without the query; the name of a job. */
  path: string
  method: string
}

/**
 * The request, or job, that runs.
 *
 * @since 1.0.0
 * @category contexts
 */
export const request: Local<Request> = new Local<Request>()

/** What the states of {@link request} are kept by. */
export const requestKey: object = keyOf(request)!

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

const randomId = (prefix: string): string =>
  prefix + Array.from({ length: 6 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join("")

/**
 * What {@link jobContext} makes of a function, or of an effect.
 *
 * @since 1.0.0
 * @category models
 */
export interface Job {
  <Args extends ReadonlyArray<unknown>, A>(f: (...args: Args) => A): (...args: Args) => A
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/**
 * Gives every run of a function, or of an effect, a context in which `request.id` is `JOB` and six characters and
 * `request.path` is the job's name.
 *
 * @since 1.0.0
 * @category tasks
 */
export const jobContext = (name: string): Job => {
  if (typeof name !== "string") {
    throw invalidArgument(`jobContext takes the job's name, as in jobContext("nightly")(fn)`, name)
  }
  const make = (): Iterable<readonly [object, State]> => [
    [requestKey, { bag: bags.fromObject({ id: randomId("JOB"), path: name }) }]
  ]
  return ((code: Code | ((...args: Array<unknown>) => unknown)): unknown =>
    typeof code === "function"
      ? named(
        function(this: unknown, ...args: Array<unknown>) {
          return enter("jobContext", () => (code as Function).apply(this, args), make)
        },
        code
      )
      : enter("jobContext", code, make)) as Job
}

/**
 * How requests are tracked.
 *
 * @since 1.0.0
 * @category options
 */
export interface MiddlewareOptions {
  /** The header with the request's id. Default: `X-REQUEST-ID`. */
  readonly header?: string
  /** Makes the id of a request that comes without a safe one. Default: `REQ` and six characters. */
  readonly makeId?: () => string
  /** Whether the response has the id in the same header. Default: `true`. */
  readonly echo?: boolean
}

/**
 * What the middleware uses of a request of `node:http`, or of an app built on it.
 *
 * @since 1.0.0
 * @category models
 */
export interface IncomingRequest {
  readonly headers: { readonly [name: string]: string | ReadonlyArray<string> | undefined }
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** Express has here what `url` was before an app was mounted. */
  readonly originalUrl?: string | undefined
}

const TrackedId: unique symbol = Symbol.for("aiocontext/aiolocals/tracked")

interface Tracked {
  /** Runs code in the context of a request that is tracked already. */
  readonly [TrackedId]?: <A>(f: () => A) => A
}

/**
 * What the middleware uses of a response of `node:http`.
 *
 * @since 1.0.0
 * @category models
 */
export interface OutgoingResponse {
  /** Sets a header of the response, before its head is sent. */
  setHeader(name: string, value: string): unknown
}

/**
 * Middleware of two kinds, told apart by its argument. The last form fits `HttpMiddleware` of `@effect/platform`.
 *
 * @since 1.0.0
 * @category models
 */
export interface RequestMiddleware {
  /** For `node:http` and Express-style apps. What `next` starts, and the listeners of both objects, run in the context. */
  <A>(incoming: IncomingRequest, outgoing: OutgoingResponse, next: () => A): A
  /** For an `HttpApp`. The context is there outside `compat.layer` too, for the logger, but imperative code needs the bridge. */
  <A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
}

/**
 * Tracks requests: each runs in a context of its own, with the id, path and method in `request`.
 *
 * The incoming id is taken when it is safe to log: at most 200 characters of `[\w.:/+=-]`. Another one is neither echoed nor
 * logged, and replaced.
 *
 * @example
 * ```ts
 * import { request, requestMiddleware } from "aiocontext/compat/aiolocals"
 * import { createServer } from "node:http"
 *
 * const track = requestMiddleware()
 * const server = createServer((req, res) => track(req, res, () => res.end(`${request.path} ${request.id}`)))
 * ```
 *
 * @since 1.0.0
 * @category middleware
 */
export const requestMiddleware = (options: MiddlewareOptions = {}): RequestMiddleware => {
  const { echo, header, makeId } = checkedOptions(options)
  const name = header.toLowerCase()

  const track = (incoming: IncomingRequest): Request => {
    const given = incoming.headers[name]
    return {
      id: typeof given === "string" && isSafe(given) ? given : checkedId(makeId()),
      path: pathOf(incoming.originalUrl ?? incoming.url ?? ""),
      method: incoming.method ?? ""
    }
  }

  const serve = (incoming: IncomingRequest, outgoing: OutgoingResponse, next: () => unknown): unknown => {
    if (typeof incoming?.headers !== "object" || typeof next !== "function") {
      throw new TypeError("what requestMiddleware() returns is called as (req, res, next), or with an HttpApp")
    }
    const { [TrackedId]: before } = incoming as Tracked
    if (before !== undefined) {
      // mounted twice, as an app and its router may do: it is one request
      return before(next)
    }
    const tracked = track(incoming)
    if (echo) {
      outgoing.setHeader(header, tracked.id)
    }
    const task = startWith([[requestKey, { bag: bags.fromObject(tracked) }]])
    const inTask = runIn(task, () => makeSnapshot("requestMiddleware"))
    Object.defineProperty(incoming, TrackedId, { value: inTask })
    follow(incoming, inTask)
    follow(outgoing, inTask)
    return inTask(next)
  }

  const wrap = <A, E, R>(app: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    withFiber((fiber) => {
      const incoming = serviceOfFiber(fiber, serverRequest) as IncomingRequest | undefined
      if (incoming === undefined) {
        throw new TypeError("requestMiddleware() wraps an HttpApp, and this effect runs outside every HTTP request")
      }
      const tracked = track(incoming)
      return within(
        echo ? onResponse(app, (response) => withHeader(response, name, tracked.id)) : app,
        () => [[requestKey, { bag: bags.fromObject(tracked) }]]
      )
    })

  // a caller of the form with one argument passes an effect
  return ((
    first: IncomingRequest | Effect.Effect<unknown, unknown, unknown>,
    ...rest: [OutgoingResponse, () => unknown]
  ) => Effect.isEffect(first) ? wrap(first) : serve(first, ...rest)) as RequestMiddleware
}

// the tag of `HttpServerRequest` in `@effect/platform`, which is an optional companion and not imported
const serverRequest = "@effect/platform/HttpServerRequest"

const isSafe = (id: string): boolean => /^[\w.:/+=-]{1,200}$/.test(id)

const checkedId = (id: unknown): string => {
  if (typeof id === "string" && isSafe(id)) {
    return id
  }
  throw invalidArgument(
    "requestMiddleware: makeId returns 1 to 200 characters of [\\w.:/+=-], as in makeId: () => crypto.randomUUID()",
    id
  )
}

const checkedOptions = (options: MiddlewareOptions): Required<MiddlewareOptions> => {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument("requestMiddleware takes options, as in requestMiddleware({ echo: false })", options)
  }
  const { echo = true, header = "X-REQUEST-ID", makeId = () => randomId("REQ") } = options
  if (typeof header !== "string" || !/^[\w!#$%&'*+.^`|~-]+$/.test(header)) {
    throw invalidArgument(`requestMiddleware: header is the name of a header, as in "X-REQUEST-ID"`, header)
  }
  if (typeof makeId !== "function") {
    throw invalidArgument("requestMiddleware: makeId is a function, as in makeId: () => crypto.randomUUID()", makeId)
  }
  if (typeof echo !== "boolean") {
    throw invalidArgument("requestMiddleware: echo is true or false", echo)
  }
  return { echo, header, makeId }
}

/** The path of a request target, absolute ones included. */
const pathOf = (target: string): string => target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "")

// A socket emits from where it was opened, which is no request's task.
const follow = (emitter: object, inTask: <A>(f: () => A) => A): void => {
  const { emit } = emitter as { readonly emit?: unknown }
  if (typeof emit === "function") {
    Object.defineProperty(emitter, "emit", {
      value: function(this: unknown, ...args: Array<unknown>) {
        return inTask(() => emit.apply(this, args))
      },
      writable: true,
      configurable: true
    })
  }
}
