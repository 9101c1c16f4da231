import {
  FetchHttpClient,
  HttpBody,
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import * as HttpClientContext from "aiocontext/propagation/HttpClient"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { Effect, Fiber, Layer, Schedule, Stream, Tracer } from "effect"
import { createServer } from "node:http"
import { id, otherId, Request, seed } from "./request.js"
import { recorder, redirect, serve, urlOf } from "./servers.js"

const entries = { id, tenant: "a b", roles: ["x"] }
const everything = { "x-request-id": id, baggage: "tenant=a%20b,locale=en,roles=[%22x%22]" }

const transports = {
  fetch: FetchHttpClient.layer,
  undici: NodeHttpClient.layerUndici,
  "node:http": NodeHttpClient.layer
} satisfies Record<string, Layer.Layer<HttpClient.HttpClient>>

const portOf = (url: string): string => new URL(url).host

/** What a server got of the context. */
const reached = ({ headers }: { readonly headers: Record<string, unknown> }) => ({
  ...headers["x-request-id"] === undefined ? {} : { "x-request-id": headers["x-request-id"] },
  ...headers["baggage"] === undefined ? {} : { baggage: headers["baggage"] }
})

for (const [name, transport] of Object.entries(transports)) {
  describe(`a client over ${name}`, () => {
    const client = (trusted: HttpClientContext.Options["trusted"]) =>
      HttpClientContext.layer(Request, trusted ? { trusted } : {}).pipe(Layer.provide(transport))

    const sends = (
      request: (url: string) => HttpClientRequest.HttpClientRequest,
      trusted?: (url: string) => HttpClientContext.Options["trusted"]
    ) =>
      Effect.gen(function*() {
        const { seen, url } = yield* recorder
        yield* HttpClient.execute(request(url)).pipe(
          Effect.flatMap((response) => response.text),
          Effect.scoped,
          Effect.provide(client(trusted?.(url)))
        )
        return seen.map(reached)
      }).pipe(Effect.scoped)

    const get = (url: string) => HttpClientRequest.get(`${url}/a`, { urlParams: { q: "1" } })

    it.live("sends a stranger public keys only", () =>
      Effect.map(sends(get), (seen) => expect(seen).toEqual([{ "x-request-id": id }])).pipe(Request.provide(entries)))
    it.live("sends a trusted host all keys, by name, by port and by predicate", () =>
      Effect.gen(function*() {
        const ways: ReadonlyArray<(url: string) => HttpClientContext.Options["trusted"]> = [
          () => ["127.0.0.1"],
          (url) => ["other", portOf(url)],
          () => [({ pathname }) => pathname === "/a"]
        ]
        for (const way of ways) {
          expect(yield* sends(get, way)).toEqual([everything])
        }
        const not: typeof ways = [
          () => ["127.0.0.1:1", "127.0.0", "27.0.0.1"],
          () => [() => {
            throw new Error("no")
          }]
        ]
        for (const way of not) {
          expect(yield* sends(get, way)).toEqual([{ "x-request-id": id }])
        }
      }).pipe(Request.provide(entries)))
    it.live("sends the values of the fiber, as they are now", () =>
      Effect.gen(function*() {
        yield* Request.set("id", otherId)
        expect(yield* sends(get)).toEqual([{ "x-request-id": otherId }])
      }).pipe(Request.provide(entries)))
    it.live("sends nothing where the context is not attached", () =>
      Effect.map(sends(get, () => ["127.0.0.1"]), (seen) => expect(seen).toEqual([{}])))
    it.live("leaves headers of the request alone, and replaces the context's own members of its baggage", () =>
      Effect.map(
        sends((url) =>
          get(url).pipe(
            HttpClientRequest.setHeaders({ "X-Request-Id": "mine", baggage: "tenant=old,other=1;p" })
          ), () => ["127.0.0.1"]),
        (seen) => expect(seen).toEqual([{ "x-request-id": "mine", baggage: `${everything.baggage},other=1;p` }])
      ).pipe(Request.provide(entries)))
    it.live("leaves out what cannot be carried, and the request goes on", () =>
      Effect.map(sends(get), (seen) => expect(seen).toEqual([{}])).pipe(
        Request.provide({ ...entries, id: "a\r\nx-evil: 1" })
      ))
    it.live("decides anew for each hop of a redirect", () =>
      Effect.gen(function*() {
        const friend = yield* recorder
        const stranger = yield* recorder
        const follows = (url: string) =>
          HttpClient.HttpClient.pipe(
            // over fetch the layer follows; other transports leave it to this
            Effect.map(HttpClient.followRedirects()),
            Effect.flatMap((client) => client.get(url)),
            Effect.flatMap((response) => response.text),
            Effect.scoped,
            Effect.provide(client([portOf(friend.url)]))
          )
        yield* follows(redirect(friend.url, `${stranger.url}/a`))
        expect(friend.seen.map(reached)).toEqual([everything])
        expect(stranger.seen.map(reached)).toEqual([{ "x-request-id": id }])
        yield* follows(redirect(stranger.url, `${friend.url}/a`))
        expect(friend.seen.map(reached)).toEqual([everything, everything])
      }).pipe(Effect.scoped, Request.provide(entries)))
    it.live("keeps the context's headers off the client's span", () => {
      const attributes = new Map<string, unknown>()
      const tracer = Tracer.make({
        span: (name, parent, context, links, startTime, kind) =>
          ({
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
            attribute: (key, value) => void attributes.set(key, String(value)),
            event: () => {},
            addLinks: () => {},
            end: () => {}
          }) as Tracer.Span,
        context: (f) => f()
      })
      return Effect.gen(function*() {
        const [seen] = yield* sends(get, () => ["127.0.0.1"])
        expect(seen).toEqual(everything)
        expect(attributes.get("http.request.header.baggage")).toBe("<redacted>")
        expect(JSON.stringify([...attributes])).not.toContain(id)
      }).pipe(Request.provide(entries), Effect.withTracer(tracer))
    })
    it.live("ends a response with the scope that it belongs to", () =>
      Effect.gen(function*() {
        let closed = false
        const url = yield* serve((_, response) => {
          response.write("first")
          response.on("close", () => {
            closed = true
          })
        })
        const client_ = Effect.map(HttpClient.HttpClient, HttpClient.withScope)
        yield* Effect.flatMap(client_, (client) => client.get(url)).pipe(Effect.scoped, Effect.provide(client([])))
        yield* Effect.suspend(() => closed ? Effect.void : Effect.fail("open")).pipe(
          Effect.retry(Schedule.spaced(10)),
          Effect.timeout(5000)
        )
      }).pipe(Effect.scoped, Request.provide(entries)))
  })
}

describe("a redirect over fetch", () => {
  const client = HttpClientContext.layer(Request).pipe(Layer.provide(FetchHttpClient.layer))
  const send = (request: HttpClientRequest.HttpClientRequest) =>
    HttpClient.execute(request).pipe(Effect.flatMap(({ text }) => text), Effect.scoped, Effect.provide(client))

  for (const [status, method] of [[301, "GET"], [302, "GET"], [303, "GET"], [307, "POST"], [308, "POST"]] as const) {
    it.live(`of status ${status} makes a POST a ${method}, as fetch does`, () =>
      Effect.gen(function*() {
        const first = yield* recorder
        const second = yield* recorder
        yield* send(HttpClientRequest.post(redirect(first.url, `${second.url}/a`, status), {
          headers: { authorization: "s3cret", "x-own": "1" },
          body: HttpBody.text("body", "text/x")
        }))
        expect(second.seen.map(({ body, headers, method }) => [
          method,
          body,
          headers["content-type"],
          headers.authorization,
          headers["x-own"],
          headers["x-request-id"]
        ])).toEqual([[
          method,
          method === "GET" ? "" : "body",
          method === "GET" ? undefined : "text/x",
          undefined,
          "1",
          id
        ]])
        expect(first.seen[0]!.headers.authorization).toBe("s3cret")
      }).pipe(Effect.scoped, Request.provide(entries)))
  }
  it.live("to the same server keeps credentials, and is relative to where it was", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      yield* send(HttpClientRequest.get(redirect(url, "../b?c"), { headers: { authorization: "s3cret" } }))
      expect(seen.map(({ headers, url }) => [url, headers.authorization])[1]).toEqual(["/b?c", "s3cret"])
    }).pipe(Effect.scoped, Request.provide(entries)))
  it.live("of a body that was a stream fails", () =>
    Effect.gen(function*() {
      const { seen, url } = yield* recorder
      const failed = yield* Effect.exit(send(HttpClientRequest.post(redirect(url, `${url}/a`, 307), {
        body: HttpBody.stream(Stream.make(new Uint8Array([1])))
      })))
      expect([failed._tag, seen.length]).toEqual(["Failure", 1])
    }).pipe(Effect.scoped, Request.provide(entries)))
  it.live("without end fails", () =>
    Effect.gen(function*() {
      const url = yield* serve((_, response) => {
        response.writeHead(302, { location: "/again" }).end()
      })
      expect((yield* Effect.exit(send(HttpClientRequest.get(url))))._tag).toBe("Failure")
    }).pipe(Effect.scoped, Request.provide(entries)))
})

describe("baggage that is no context's", () => {
  it.live("passes to trusted servers, if a trusted peer sent it", () =>
    Effect.gen(function*() {
      const friend = yield* recorder
      const stranger = yield* recorder
      const client = HttpClientContext.layer(Request, { trusted: [portOf(friend.url)] }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
      const call = (url: string) => HttpClient.get(url).pipe(Effect.flatMap(({ text }) => text), Effect.scoped)
      const router = HttpRouter.empty.pipe(HttpRouter.get(
        "/",
        Effect.all([call(friend.url), call(stranger.url)]).pipe(Effect.as(HttpServerResponse.empty()))
      ))
      const server = createServer()
      const ctx = HttpServerContext.middleware(Request, {
        seed,
        trusted: ({ headers }) => headers["x-peer"] === "trusted",
        passthrough: true
      })
      const fiber = yield* Layer.launch(
        HttpServer.serve(router, ctx).pipe(
          Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
          Layer.provide(client)
        )
      ).pipe(Effect.fork)
      yield* Effect.suspend(() => server.listening ? Effect.void : Effect.fail("not yet")).pipe(
        Effect.retry(Schedule.spaced(5))
      )
      const headers = { "x-request-id": id, baggage: "tenant=acme,vendor=a%20b;p=1" }
      yield* Effect.promise(() => fetch(urlOf(server), { headers: { ...headers, "x-peer": "trusted" } }))
      yield* Effect.promise(() => fetch(urlOf(server), { headers }))
      expect(friend.seen.map(reached)).toEqual([
        { "x-request-id": id, baggage: "tenant=acme,locale=en,vendor=a%20b;p=1" },
        { "x-request-id": id, baggage: "tenant=none,locale=en" }
      ])
      expect(stranger.seen.map(reached)).toEqual([{ "x-request-id": id }, { "x-request-id": id }])
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.scoped))
})
