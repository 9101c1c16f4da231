import {
  HttpApp,
  HttpLayerRouter,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { Effect, flow, Layer, Logger, Option, Schedule, Stream, Tracer } from "effect"
import { Hono } from "hono"
import { createServer, request as nodeRequest, type RequestListener } from "node:http"
import { Readable } from "node:stream"
import { Agent, request as undici } from "undici"
import { id, otherId, Request, seed } from "./request.js"
import { serve, urlOf } from "./servers.js"

const third = "11111111-2222-4333-8444-555555555555"

const internal = (request: HttpServerRequest.HttpServerRequest) => request.headers["x-peer"] === "trusted"
const trusted = { "x-peer": "trusted" }

const who = Effect.map(
  Effect.all([Request.get("id"), Request.get("tenant"), Request.get("locale")]),
  (all) => HttpServerResponse.text(all.join(" "))
)
const router = HttpRouter.empty.pipe(
  HttpRouter.get("/who", who),
  HttpRouter.get("/set", Effect.zipRight(Request.set("id", third), who)),
  HttpRouter.get("/fails", Effect.fail("no")),
  HttpRouter.get("/dies", Effect.die("no")),
  HttpRouter.get(
    "/stream",
    Effect.succeed(HttpServerResponse.stream(
      Stream.repeatEffect(Effect.map(Request.peek("id"), Option.getOrElse(() => "none"))).pipe(
        Stream.take(2),
        Stream.schedule(Schedule.spaced(1)),
        Stream.intersperse(" "),
        Stream.encodeText
      )
    ))
  )
)

/** A server for the time of a test, over a real socket. */
const serving = <A, E>(
  app: Layer.Layer<never, never, HttpServer.HttpServer>,
  test: (url: string) => Effect.Effect<A, E>
) => {
  // a busy machine must not have it close a connection that a client is about to use again
  const server = createServer({ keepAliveTimeout: 120_000 })
  return Effect.gen(function*() {
    yield* Layer.launch(app.pipe(Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" }))))
      .pipe(
        Effect.forkScoped
      )
    yield* Effect.suspend(() => server.listening ? Effect.void : Effect.fail("not yet")).pipe(
      Effect.retry(Schedule.spaced(5))
    )
    return yield* test(urlOf(server))
  }).pipe(Effect.scoped)
}

const ctx = HttpServerContext.middleware(Request, { seed, trusted: internal, echo: ["id"] })
const rejecting = HttpServerContext.middleware(Request, { seed, invalid: "reject", echo: ["id"] })

const get = (url: string, headers: Record<string, string> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers })
    return { status: response.status, id: response.headers.get("x-request-id"), text: await response.text() }
  })

const app = HttpServer.serve(router, ctx)

describe("an Effect server", () => {
  it.live("seeds the context from the request, and by trust", () =>
    serving(app, (url) =>
      Effect.gen(function*() {
        const headers = { "x-request-id": id, baggage: "tenant=evil,locale=de", "x-user": "root" }
        expect((yield* get(`${url}/who`)).text).toBe(`${otherId} none en`)
        expect((yield* get(`${url}/who`, headers)).text).toBe(`${id} none de`)
        expect((yield* get(`${url}/who`, { ...headers, ...trusted })).text).toBe(`${id} evil de`)
      })))
  it.live("takes the seed's own value where the request's is refused", () =>
    serving(app, (url) =>
      Effect.gen(function*() {
        for (const bad of ["x".repeat(500), "a b", "%0d%0a", "no-uuid", ""]) {
          expect(yield* get(`${url}/who`, { "x-request-id": bad })).toEqual({
            status: 200,
            id: otherId,
            text: `${otherId} none en`
          })
        }
      })))
  it.live("answers 400 where input is rejected, with the key and the reason, and the seed's own values echoed", () =>
    serving(HttpServer.serve(router, rejecting), (url) =>
      Effect.gen(function*() {
        const answer = yield* get(`${url}/who`, { "x-request-id": "s3cret" })
        expect([answer.status, answer.id]).toEqual([400, otherId])
        expect(JSON.parse(answer.text)).toEqual({
          _tag: "InboundError",
          context: Request.key,
          key: "id",
          reason: "schema"
        })
        expect((yield* get(`${url}/who`, { "x-request-id": id })).status).toBe(200)
      })))
  it.live("sees that a header was sent twice", () =>
    serving(HttpServer.serve(router, rejecting), (url) =>
      Effect.gen(function*() {
        const text = yield* Effect.async<string>((resume) => {
          nodeRequest(`${url}/who`, { headers: { "x-request-id": [id, otherId] } }, (response) => {
            response.setEncoding("utf8").once("data", (text) => resume(Effect.succeed(text)))
          }).end()
        })
        expect(JSON.parse(text)).toMatchObject({ key: "id", reason: "ambiguous" })
      })))
  it.live("echoes on 200, 404 and 500, on streams, and what the value is then", () =>
    serving(app, (url) =>
      Effect.gen(function*() {
        const headers = { "x-request-id": id }
        expect(yield* get(`${url}/who`, headers)).toMatchObject({ status: 200, id })
        expect(yield* get(`${url}/nowhere`, headers)).toMatchObject({ status: 404, id })
        expect(yield* get(`${url}/fails`, headers)).toMatchObject({ status: 500, id })
        expect(yield* get(`${url}/dies`, headers)).toMatchObject({ status: 500, id })
        expect(yield* get(`${url}/stream`, headers)).toMatchObject({ status: 200, id, text: `${id} ${id}` })
        expect(yield* get(`${url}/set`, headers)).toMatchObject({ status: 200, id: third })
      })))
  it.live("echoes what a middleware inside answers itself", () => {
    const auth = <E, R>(
      app: HttpApp.Default<E, R>
    ): HttpApp.Default<E | HttpServerResponse.HttpServerResponse, R | HttpServerRequest.HttpServerRequest> =>
      Effect.flatMap(
        HttpServerRequest.HttpServerRequest,
        ({ headers }): HttpApp.Default<E | HttpServerResponse.HttpServerResponse, R> =>
          headers["x-auth"] === "fails"
            ? Effect.fail(HttpServerResponse.empty({ status: 403 }))
            : headers["x-auth"] === "no"
            ? Effect.succeed(HttpServerResponse.empty({ status: 401 }))
            : app
      )
    return serving(HttpServer.serve(router, flow(HttpMiddleware.cors(), auth, ctx)), (url) =>
      Effect.gen(function*() {
        const headers = { "x-request-id": id }
        expect(yield* get(`${url}/who`, { ...headers, "x-auth": "no" })).toMatchObject({ status: 401, id })
        expect(yield* get(`${url}/who`, { ...headers, "x-auth": "fails" })).toMatchObject({ status: 403, id })
        const preflight = yield* Effect.promise(() =>
          fetch(`${url}/who`, { method: "OPTIONS", headers: { ...headers, origin: "http://a" } })
        )
        expect([preflight.status, preflight.headers.get("x-request-id")]).toEqual([204, id])
      }))
  })
  it.live("is around the access log, as a router's layer too", () => {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => {
      lines.push(message)
    })
    const logging = <E, R>(app: HttpApp.Default<E, R>): HttpApp.Default<E, R> =>
      Effect.tap(app, () => Effect.flatMap(Request.peek("id"), (id) => Effect.log(Option.getOrElse(id, () => "none"))))
    const routes = HttpLayerRouter.add(
      "GET",
      "/who",
      Effect.map(Request.get("id"), (id) => HttpServerResponse.text(id))
    )
    return serving(
      HttpLayerRouter.serve(routes, { disableLogger: true, middleware: flow(logging, ctx) }).pipe(
        Layer.provide(Logger.replace(Logger.defaultLogger, logger))
      ),
      (url) =>
        Effect.gen(function*() {
          expect((yield* get(`${url}/who`, { "x-request-id": id })).text).toBe(id)
          expect(lines).toContainEqual([id])
        })
    )
  })
  it.live("writes the keys that say so to the server's span, and with redact no header", () => {
    const spans: Array<Map<string, unknown>> = []
    const tracer = Tracer.make({
      span: (name, parent, context, links, startTime, kind) => {
        const attributes = new Map<string, unknown>()
        spans.push(attributes)
        return {
          _tag: "Span",
          spanId: "1",
          traceId: "1",
          sampled: true,
          status: { _tag: "Started", startTime },
          name,
          parent,
          context,
          links,
          kind,
          attributes,
          attribute: (key, value) => void attributes.set(key, value),
          event: () => {},
          addLinks: () => {},
          end: () => {}
        } as Tracer.Span
      },
      context: (f) => f()
    })
    return serving(
      HttpServer.serve(router, ctx).pipe(HttpServerContext.redact(Request), Layer.provide(Layer.setTracer(tracer))),
      (url) =>
        Effect.gen(function*() {
          yield* get(`${url}/set`, { "x-request-id": id, baggage: "tenant=s3cret", "user-agent": "test" })
          expect(spans).toHaveLength(1)
          expect(spans[0]!.get("request.id")).toBe(third)
          expect(spans[0]!.has("tenant")).toBe(false)
          expect(JSON.stringify([...spans[0]!])).not.toContain("s3cret")
          expect(String(spans[0]!.get("http.request.header.x-request-id"))).toBe("<redacted>")
          expect(spans[0]!.get("http.request.header.user-agent")).toBe("test")
        })
    )
  })
  it.live("takes an effect as the seed, and its failure as the request's", () => {
    const effectful = HttpServerContext.middleware(Request, {
      seed: (got, { url }) => url === "/fails" ? Effect.fail("no seed") : Effect.sync(() => seed(got))
    })
    return serving(HttpServer.serve(router, effectful), (url) =>
      Effect.gen(function*() {
        expect((yield* get(`${url}/who`)).text).toBe(`${otherId} none en`)
        expect((yield* get(`${url}/fails`)).status).toBe(500)
      }))
  })
  it.live(
    "keeps a thousand requests apart, with bodies that are streams",
    () =>
      serving(app, (url) =>
        Effect.gen(function*() {
          const ids = Array.from({ length: 1000 }, (_, i) => `3f6f6d6e-6c0e-4d0e-9b0a-${String(i).padStart(12, "0")}`)
          const answers = yield* Effect.forEach(ids, (id) => get(`${url}/stream`, { "x-request-id": id }), {
            concurrency: 50
          })
          expect(answers).toEqual(ids.map((id) => ({ status: 200, id, text: `${id} ${id}` })))
        })),
    120_000
  )
})

describe("a thousand concurrent requests over connections that are kept alive", () => {
  it.live("see no foreign value, in request bodies that are streams, in handlers, in streams that answer", () => {
    const echo = HttpRouter.empty.pipe(HttpRouter.post(
      "/echo",
      Effect.gen(function*() {
        const { stream } = yield* HttpServerRequest.HttpServerRequest
        const own = Effect.map(Request.get("id"), (id) => new TextEncoder().encode(id))
        const body = stream.pipe(
          Stream.mapEffect((chunk) => Effect.as(Effect.yieldNow(), chunk)),
          Stream.concat(Stream.fromEffect(Effect.delay(own, 1)))
        )
        // the server reads the body in the request's fiber
        return HttpServerResponse.stream(body as Stream.Stream<Uint8Array, unknown>)
      })
    ))
    const connections = 50
    return serving(HttpServer.serve(echo, ctx), (url) =>
      Effect.gen(function*() {
        const agent = yield* Effect.acquireRelease(
          Effect.sync(() => new Agent({ connections, pipelining: 1 })),
          (agent) => Effect.promise(() => agent.destroy())
        )
        const sockets = new Set<unknown>()
        agent.on("connect", (_, [client]) => void sockets.add(client))
        const ids = Array.from({ length: 1000 }, (_, i) => `3f6f6d6e-6c0e-4d0e-9b0a-${String(i).padStart(12, "0")}`)
        const ask = (id: string) =>
          Effect.promise(async () => {
            const { body, headers } = await undici(`${url}/echo`, {
              dispatcher: agent,
              method: "POST",
              headers: { "x-request-id": id },
              body: Readable.from(["a ", "b "].map((part) => Buffer.from(part)))
            })
            return { id: headers["x-request-id"], text: await body.text() }
          })
        const answers = yield* Effect.forEach(ids, ask, { concurrency: "unbounded" })
        expect(answers).toEqual(ids.map((id) => ({ id, text: `a b ${id}` })))
        expect(sockets.size).toBeLessThanOrEqual(connections)
      }).pipe(Effect.scoped))
  }, 120_000)
})

describe("a web handler on Node", () => {
  it.live("of Hono has the context, its echo and its streams", () => {
    const hono = new Hono()
    const handler = HttpApp.toWebHandler(ctx(router))
    hono.all("*", (c) => handler(c.req.raw))
    return Effect.gen(function*() {
      const url = yield* serve(getRequestListener(hono.fetch) as RequestListener)
      const headers = { "x-request-id": id }
      expect(yield* get(`${url}/who`, headers)).toEqual({ status: 200, id, text: `${id} none en` })
      expect(yield* get(`${url}/stream`, headers)).toEqual({ status: 200, id, text: `${id} ${id}` })
      expect(yield* get(`${url}/nowhere`, headers)).toMatchObject({ status: 404, id })
    }).pipe(Effect.scoped)
  })
})

describe("a web handler", () => {
  const handlers = {
    "of an app inside of the middleware": HttpApp.toWebHandler(ctx(router)),
    "that is given the middleware": HttpApp.toWebHandler(router as unknown as HttpApp.Default<never>, ctx)
  }
  for (const [name, handler] of Object.entries(handlers)) {
    const ask = async (path: string) => {
      const response = await handler(new globalThis.Request(`http://a${path}`, { headers: { "x-request-id": id } }))
      return { status: response.status, id: response.headers.get("x-request-id"), text: await response.text() }
    }
    it(`${name} attaches and echoes`, async () => {
      expect(await ask("/who")).toEqual({ status: 200, id, text: `${id} none en` })
      expect(await ask("/nowhere")).toMatchObject({ status: 404, id })
      expect(await ask("/dies")).toMatchObject({ status: 500, id })
    })
    it(`${name} binds the bodies of streams`, async () => {
      expect(await ask("/stream")).toEqual({ status: 200, id, text: `${id} ${id}` })
    })
  }
})
