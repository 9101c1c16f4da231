/** A whole run, in which nothing that is secret and nothing that was refused comes to light. */
import {
  FetchHttpClient,
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpClient,
  HttpMiddleware
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import * as ContextLayers from "aiocontext/Layer"
import * as HttpClientContext from "aiocontext/propagation/HttpClient"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { Effect, flow, Layer, Logger, LogLevel, Redacted, Schedule, Schema, Tracer } from "effect"
import { createServer } from "node:http"
import { id, Request, seed } from "./request.js"
import { recorder, urlOf } from "./servers.js"

const Api = HttpApi.make("api").add(
  HttpApiGroup.make("all")
    .add(HttpApiEndpoint.get("call", "/call").addSuccess(Schema.String))
    .add(HttpApiEndpoint.get("fails", "/fails").addSuccess(Schema.String))
)

describe("a run with an HttpApi", () => {
  it.live("shows no secret and no refused value, in any line, span, error, header or body", () =>
    Effect.gen(function*() {
      const friend = yield* recorder
      const stranger = yield* recorder
      const shown: Array<string> = []

      const logger = Logger.make((line) => {
        shown.push(JSON.stringify({ ...line, context: undefined, annotations: [...line.annotations] }))
      })
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) =>
          ({
            _tag: "Span",
            spanId: "1",
            traceId: "1",
            sampled: true,
            status: { _tag: "Started", startTime },
            attributes: new Map(),
            name,
            parent,
            context,
            links,
            kind,
            attribute: (key: string, value: unknown) => shown.push(`${key}=${String(value)} ${JSON.stringify(value)}`),
            event: () => {},
            addLinks: () => {},
            end: (_: bigint, exit: unknown) => shown.push(JSON.stringify(exit))
          }) as unknown as Tracer.Span,
        context: (f) => f()
      })

      const handlers = HttpApiBuilder.group(Api, "all", (handlers) =>
        handlers
          .handle("call", () =>
            Effect.gen(function*() {
              for (const { url } of [friend, stranger]) {
                yield* HttpClient.get(url).pipe(Effect.flatMap(({ text }) => text), Effect.scoped, Effect.orDie)
              }
              yield* Effect.log("token", yield* Request.get("token"))
              return yield* Request.get("tenant")
            }))
          .handle("fails", () => Effect.die(new Error("no"))))
      // the middleware attaches the context, not the layer
      const late = handlers.pipe(Layer.provide(ContextLayers.late(Request)))
      const ctx = HttpServerContext.middleware(Request, {
        seed: (got) => ({ ...seed(got), token: Redacted.make("planted") }),
        trusted: ({ headers }) => headers["x-peer"] === "trusted",
        echo: ["id"]
      })
      const client = HttpClientContext.layer(Request, { trusted: [new URL(friend.url).host] })
      const server = createServer()
      yield* HttpApiBuilder.serve(flow(HttpMiddleware.logger, ctx)).pipe(
        HttpServerContext.redact(Request),
        Layer.provide(HttpApiBuilder.api(Api).pipe(Layer.provide(late))),
        Layer.provide(client.pipe(Layer.provide(FetchHttpClient.layer))),
        Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
        Layer.provide(Logger.replace(Logger.defaultLogger, logger)),
        Layer.provide(Logger.minimumLogLevel(LogLevel.All)),
        Layer.provide(Layer.setTracer(tracer)),
        (layer) => Effect.forkScoped(Layer.launch(layer as Layer.Layer<never>))
      )
      yield* Effect.suspend(() => server.listening ? Effect.void : Effect.fail("not yet")).pipe(
        Effect.retry(Schedule.spaced(5))
      )

      const ask = (path: string, headers: Record<string, string>) =>
        Effect.promise(async () => {
          const response = await fetch(`${urlOf(server)}${path}`, { headers })
          const text = await response.text()
          response.headers.forEach((value, name) => shown.push(`${name}: ${value}`))
          shown.push(text)
          return { status: response.status, id: response.headers.get("x-request-id"), text }
        })
      const trusted = { "x-peer": "trusted", "x-request-id": id }
      expect(yield* ask("/call", { ...trusted, baggage: "tenant=acme" })).toEqual({ status: 200, id, text: "\"acme\"" })
      expect(yield* ask("/call", { "x-request-id": "planted", baggage: "tenant=planted,roles=planted" })).toMatchObject(
        {
          status: 200,
          text: "\"none\""
        }
      )
      yield* ask("/call", { ...trusted, baggage: `roles=${"planted".repeat(200)}` })
      expect(yield* ask("/fails", trusted)).toMatchObject({ status: 500, id })

      expect(shown.some((line) => line.includes("refused what came in"))).toBe(true)
      expect(shown.some((line) => line.includes("request.id"))).toBe(true)
      expect(friend.seen.some(({ headers }) => headers["baggage"]?.includes("acme"))).toBe(true)
      for (const line of [...shown, JSON.stringify([friend.seen, stranger.seen])]) {
        expect(line).not.toContain("planted")
      }
      expect(JSON.stringify(stranger.seen)).not.toContain("acme")
    }).pipe(Effect.scoped))
})
