/**
 * A context for each request to a server of promise code: node:http, Express, Connect, Koa, Hono, Fastify. Each is one
 * line in front of the app; no framework is imported, they are known by their structure.
 *
 * The rest of the request is a task with the context attached: seeded from its headers, read with `compat.make(Ctx)`, and
 * by effects that it runs with `compat.runPromise`.
 *
 * @module
 * @since 1.0.0
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import * as compat from "../compat.js"
import type * as Context from "../Context.js"
import type { Carrier } from "../internal/policy/carrier.js"
import { count } from "../internal/policy/inbound.js"
import { planOf } from "../internal/policy/plan.js"
import * as served from "../internal/policy/served.js"
import * as Propagation from "../Propagation.js"
import type { InboundError } from "../reach-errors.js"

/**
 * How requests get their context. `Request` is the framework's own.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options<Shape, Seed, Request> {
  /** The whole seed, given what the request brought. */
  readonly seed: (got: Partial<Shape>, request: Request) => Seed
  /** Who may set keys that are not public. Default: nobody. */
  readonly trusted?: (request: Request) => boolean
  /** `"drop"`, the default: the seed's value stands. `"reject"`: status 400, with the key and the reason. */
  readonly invalid?: "drop" | "reject"
  /** Keys with a `header` that every response shows, with the value of that moment. */
  readonly echo?: ReadonlyArray<Context.Key<Shape>>
}

/** What a request goes on with: the echo of its response, how to run code in its task, and why it is refused. */
interface Attached {
  readonly echo: () => Carrier
  readonly inTask: <A>(f: () => A) => A
  readonly error: InboundError | undefined
}

const attaching = <Self, Id extends string, Shape, Seed, Request>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<Shape, Seed, Request>
) => {
  const plan = planOf(tag)
  const echoed = served.echoing(plan, options.echo)
  const map = compat.make(tag)
  return <A>(request: Request, source: Propagation.Source, f: (attached: Attached) => A): A => {
    const trust = options.trusted?.(request) ? "trusted" : "public"
    const { entries, errors } = Propagation.decode(tag, source, { trust })
    const [error] = options.invalid === "reject" ? errors : []
    if (error === undefined) {
      count(errors)
    }
    return map.run(options.seed(entries, request), () => {
      const inTask = compat.snapshot()
      const echo = () => echoed((key) => inTask(() => map.peek(key as never)))
      return f({ echo, inTask, error })
    })
  }
}

const headersOf = (request: IncomingMessage) => served.distinct(request.headers, request)

/** Adds headers to a response when its head is written, whoever does that. What is set by hand stays. */
const onHead = (response: ServerResponse, headers: () => Carrier): void => {
  const { writeHead } = response
  response.writeHead = function(this: ServerResponse, ...args: ReadonlyArray<never>) {
    for (const [name, text] of Object.entries(headers())) {
      if (!this.headersSent && !this.hasHeader(name)) {
        this.setHeader(name, text)
      }
    }
    return Reflect.apply(writeHead, this, args)
  } as typeof writeHead
}

/**
 * A middleware of Express, Connect and their like.
 *
 * @category middleware
 * @since 1.0.0
 */
export const middleware = <Self, Id extends string, Shape, Seed, Request extends IncomingMessage = IncomingMessage>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, Request>
): (request: Request, response: ServerResponse, next: (error?: unknown) => void) => void => {
  const attach = attaching(tag, options)
  return (request, response, next) =>
    attach(request, headersOf(request), ({ echo, error }) => {
      onHead(response, echo)
      if (error === undefined) {
        next()
      } else {
        response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify(served.refusal(error)))
      }
    })
}

/**
 * A listener of node:http around another one.
 *
 * @example
 * ```ts
 * import { compat } from "aiocontext"
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as NodeContext from "aiocontext/propagation/Node"
 * import { Schema } from "effect"
 * import { createServer } from "node:http"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", in: "public" }))
 * }) {}
 * const request = compat.make(Request)
 *
 * const withRequest = NodeContext.listener(Request, { seed: (got) => ({ id: "none", ...got }), echo: ["id"] })
 * const server = createServer(withRequest((_, response) => response.end(request.get("id"))))
 * ```
 *
 * @category middleware
 * @since 1.0.0
 */
export const listener = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, IncomingMessage>
): (requestListener: RequestListener) => RequestListener => {
  const attach = middleware(tag, options)
  return (requestListener) => (request, response) => attach(request, response, () => requestListener(request, response))
}

/**
 * What is known of Koa's context.
 *
 * @category models
 * @since 1.0.0
 */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  status: number
  body: unknown
}

/**
 * A middleware of Koa.
 *
 * @category middleware
 * @since 1.0.0
 */
export const koa = <Self, Id extends string, Shape, Seed, C extends KoaContext = KoaContext>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, C>
): (context: C, next: () => Promise<unknown>) => Promise<unknown> => {
  const attach = attaching(tag, options)
  return (context, next) =>
    attach(context, headersOf(context.req), async ({ echo, error }) => {
      onHead(context.res, echo)
      if (error === undefined) {
        return next()
      }
      context.status = 400
      context.body = served.refusal(error)
      return undefined
    })
}

/**
 * What is known of Hono's context.
 *
 * @category models
 * @since 1.0.0
 */
export interface HonoContext {
  readonly req: { readonly raw: Request }
  readonly res: Response
  /** Sets a header of the response. */
  header(name: string, value: string): void
}

/**
 * A middleware of Hono.
 *
 * @category middleware
 * @since 1.0.0
 */
export const hono = <Self, Id extends string, Shape, Seed, C extends HonoContext = HonoContext>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, C>
): (context: C, next: () => Promise<void>) => Promise<Response | void> => {
  const attach = attaching(tag, options)
  return (context, next) =>
    attach(context, context.req.raw.headers, async ({ echo, error }) => {
      if (error !== undefined) {
        return Response.json(served.refusal(error), { status: 400, headers: echo() })
      }
      await next()
      for (const [name, text] of Object.entries(echo())) {
        if (!context.res.headers.has(name)) {
          context.header(name, text)
        }
      }
      return undefined
    })
}

/**
 * What is known of a Fastify request.
 *
 * @category models
 * @since 1.0.0
 */
export interface FastifyRequest {
  readonly raw: IncomingMessage
}

/**
 * What is used of a Fastify reply whose status is set.
 *
 * @since 1.0.0
 * @category models
 */
export interface FastifyResponse {
  /** Sends a body. */
  send(body: unknown): unknown
}

/**
 * What is known of a Fastify reply.
 *
 * @category models
 * @since 1.0.0
 */
export interface FastifyReply {
  readonly raw: ServerResponse
  /** Sets the status of the response; what it gives sends the body. */
  code(status: number): FastifyResponse
}

type FastifyHook<R> = (request: R, reply: FastifyReply, done: () => void) => void

/**
 * What is known of a Fastify instance.
 *
 * @category models
 * @since 1.0.0
 */
export interface FastifyInstance<R> {
  /** Has a function run for each request. */
  addHook(name: "onRequest" | "preValidation", hook: FastifyHook<R>): unknown
}

/**
 * A plugin of Fastify, for the whole instance that it is registered with.
 *
 * @category middleware
 * @since 1.0.0
 */
export const fastify = <Self, Id extends string, Shape, Seed, R extends FastifyRequest = FastifyRequest>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options: Options<NoInfer<Shape>, NoInfer<Seed>, R>
): (instance: FastifyInstance<R>, options: unknown, done: () => void) => void => {
  const attach = attaching(tag, options)
  const running = new WeakMap<object, Attached["inTask"]>()
  const plugin = (instance: FastifyInstance<R>, _: unknown, done: () => void): void => {
    instance.addHook(
      "onRequest",
      (request, reply, done) =>
        attach(request, headersOf(request.raw), ({ echo, error, inTask }) => {
          running.set(request, inTask)
          onHead(reply.raw, echo)
          if (error === undefined) {
            done()
          } else {
            reply.code(400).send(served.refusal(error))
          }
        })
    )
    // the body was read in between, and its end comes from the socket, which is in no task
    instance.addHook("preValidation", (request, _, done) => running.get(request)!(done))
    done()
  }
  // what Fastify asks whether a plugin is to have a scope of its own
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true })
}
