import { HttpRouter, HttpServerResponse, Socket } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Rpc, RpcClient, RpcGroup, RpcMiddleware, RpcSerialization, RpcServer, RpcTest } from "@effect/rpc"
import { describe, expect, it } from "@effect/vitest"
import { InboundError } from "aiocontext/Propagation"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import * as RpcContext from "aiocontext/propagation/Rpc"
import { Cause, Chunk, Context, Effect, Fiber, Layer, Logger, LogLevel, Schedule, Schema, Stream, Tracer } from "effect"
import { createServer } from "node:http"
import { WebSocket } from "undici"
import { id, otherId, Request, seed } from "./request.js"
import { openHttp, protocols, serveHttp } from "./rpc-protocols.js"
import { Api, client, handlers, RequestRpc, server, type Sides, trusted } from "./rpc.js"
import { urlOf } from "./servers.js"
import { Shop } from "./shop.js"

const entries = { id, tenant: "a b", locale: "de" as const, roles: ["x"] }
const basket = { basket: "b-1", currency: "USD" }
const asCaller = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  effect.pipe(Request.provide(entries), Shop.provide(basket), Effect.scoped)

const everything = { ...entries, ...basket }
const nothing = { id: otherId, tenant: "none", locale: "en", roles: [], basket: "empty", currency: "EUR" }

for (const [name, start] of Object.entries(protocols)) {
  // a worker loads Effect anew, which takes long on a machine that is busy
  describe(`RPC over ${name}`, { timeout: 180_000 }, () => {
    it.live("gives an effect's handler what its caller has, of both contexts of the group", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Who()).toEqual(everything)
        // as it is now
        yield* Request.set("tenant", "c")
        expect(yield* api.Who()).toEqual({ ...everything, tenant: "c" })
      }).pipe(asCaller))
    it.live("gives it to each element of a stream, and to a mailbox", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const all = yield* Stream.runCollect(api.Whose({ count: 3 }))
        expect(Chunk.toReadonlyArray(all)).toEqual([everything, everything, everything])
        expect(Chunk.toReadonlyArray(yield* Stream.runCollect(api.Mailed()))).toEqual(["a b", "a b"])
      }).pipe(asCaller))
    it.live("gives it to a handler that fails", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* Effect.flip(api.Fail())).toMatchObject({ _tag: "Oops", tenant: "a b" })
      }).pipe(asCaller))
    it.live("gives it to a handler that dies", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const cause = yield* Effect.flip(Effect.sandbox(api.Die()))
        expect(Cause.pretty(cause)).toContain("died for a b")
      }).pipe(asCaller))
    it.live("with public peers, the default, crosses with public keys only", () =>
      Effect.gen(function*() {
        // locale may come from anybody, and is sent to nobody
        const mine = { ...nothing, id, basket: "b-1" }
        for (const sides of [{}, { client: trusted.client! }, { server: trusted.server! }]) {
          const api = yield* start(sides)
          expect([sides, yield* api.Who()]).toEqual([
            sides,
            sides.client ? { ...mine, locale: "de" } : mine
          ])
        }
      }).pipe(asCaller))
    it.live("seeds a call from outside of the context", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Who()).toEqual(nothing)
        expect(yield* api.Who().pipe(Request.provide(entries), Shop.provide(basket))).toEqual(everything)
        expect(yield* api.Who()).toEqual(nothing)
      }).pipe(Effect.scoped))
    it.live("keeps 200 concurrent calls apart that wake each other", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const calls = Array.from({ length: 200 }, (_, i) => `t-${i}`)
        const got = yield* Effect.forEach(
          calls,
          (tenant) => api.Meet({ round: "r", count: calls.length }).pipe(Request.provide({ id, tenant })),
          { concurrency: "unbounded" }
        )
        expect(got).toEqual(calls.map((tenant) => `${tenant} ${tenant} de`))
      }).pipe(asCaller))
    it.live("carries what a handler set into the calls that it makes, and nothing back", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        expect(yield* api.Nested({ depth: 2 })).toEqual([
          "a b",
          "a b.2",
          "a b.2.1",
          "a b.2.1",
          "a b.2"
        ])
        expect(yield* Request.get("tenant")).toBe("a b")
      }).pipe(asCaller))
    it.live("interrupts a call in its own context, and leaves others alone", () =>
      Effect.gen(function*() {
        const api = yield* start(trusted)
        const hang = (tenant: string) => Effect.fork(api.Hang().pipe(Request.provide({ id, tenant })))
        const hung = (count: number) =>
          Effect.repeat(api.Hung(), { until: (hung) => hung.length >= count, schedule: Schedule.spaced(10) })
        const first = yield* hang("one")
        yield* hung(1)
        const second = yield* hang("two")
        yield* hung(2)
        yield* Fiber.interrupt(first)
        yield* hung(3)
        expect(yield* api.Who()).toEqual(everything)
        expect(yield* api.Hung()).toEqual(["one waits", "two waits", "one interrupted"])
        yield* Fiber.interrupt(second)
      }).pipe(asCaller))
    it.live("fails a call with InboundError under invalid: \"reject\", and no other one of the client", () =>
      Effect.gen(function*() {
        const api = yield* start({ server: { trust: "trusted", invalid: "reject" }, client: { trust: "trusted" } })
        const others = yield* Effect.fork(
          Effect.forEach(
            ["one", "two"],
            (tenant) => api.Meet({ round: "m", count: 3 }).pipe(Request.provide({ id, tenant })),
            { concurrency: "unbounded" }
          )
        )
        const bad = { "x-request-id": "s3cret" }
        const error = yield* Effect.flip(api.Who(undefined, { headers: bad }))
        expect(error).toBeInstanceOf(InboundError)
        expect({ ...error }).toEqual({
          _tag: "InboundError",
          context: "test/reach/Request",
          key: "id",
          reason: "schema"
        })
        expect(JSON.stringify(error) + String(error)).not.toContain("s3cret")
        const stream = yield* Effect.flip(Stream.runCollect(api.Whose({ count: 1 }, { headers: bad })))
        expect(stream).toBeInstanceOf(InboundError)
        expect(yield* api.Meet({ round: "m", count: 3 })).toBe("a b a b de")
        expect(yield* Fiber.join(others)).toEqual(["one one de", "two two de"])
      }).pipe(asCaller))
  })
}

/** Posts calls as anybody may write them; gives what each answers. */
const post = (
  url: string,
  calls: ReadonlyArray<{ readonly headers: unknown; readonly tag?: string }>,
  headers: Record<string, string> = {}
) =>
  Effect.promise(async () => {
    const body = calls.map(({ headers, tag = "Who" }, i) =>
      `{"_tag":"Request","id":"${i}","tag":"${tag}","headers":${JSON.stringify(headers)}}\n`
    ).join("")
    const response = await fetch(`${url}/rpc`, {
      method: "POST",
      headers: { "content-type": "application/ndjson", ...headers },
      body
    })
    const lines = (await response.text()).trim().split("\n").map((line) => JSON.parse(line))
    return calls.map((_, i) => lines.find(({ requestId }) => requestId === String(i))?.exit ?? lines)
  })

const http = RpcServer.layerProtocolHttp({ path: "/rpc" })

describe("a call that anybody wrote", () => {
  it.live("has the headers of its body over those of HTTP, so by default it sets public keys only", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp({}, http)
      const own = [["x-request-id", id], ["baggage", "tenant=evil,locale=de"], ["x-basket", "b-1"]]
      const [call] = yield* post(url, [{ headers: own }], {
        "x-request-id": otherId,
        "x-basket": "of HTTP",
        baggage: "locale=en"
      })
      expect(call.value).toEqual({ ...nothing, id, locale: "de", basket: "b-1" })
      const [bare] = yield* post(url, [{ headers: [] }], { "x-basket": "of HTTP" })
      expect(bare.value).toEqual({ ...nothing, basket: "of HTTP" })
    }).pipe(Effect.scoped))
  it.live("has its last header of one name", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp({}, http)
      const [call] = yield* post(url, [{ headers: [["x-basket", "first"], ["X-Basket", "last"]] }])
      expect(call.value).toMatchObject({ basket: "last" })
    }).pipe(Effect.scoped))
  for (const invalid of ["drop", "reject"] as const) {
    it.live(`with a header that is no string is ignored for that key, under "${invalid}"`, () =>
      Effect.gen(function*() {
        const url = yield* serveHttp({ server: { trust: "trusted", invalid } }, http)
        const hostile: ReadonlyArray<unknown> = [7, { id }, null, true, { toString: "x" }, [["x"]]]
        const headers = hostile.flatMap((value) => [
          [["x-request-id", value], ["baggage", "tenant=a"]],
          [["x-request-id", id], ["baggage", value]]
        ])
        const calls = yield* post(url, headers.map((headers) => ({ headers })))
        expect(calls.map(({ value }) => value)).toEqual(
          headers.map((_, i) => i % 2 === 0 ? { ...nothing, tenant: "a" } : { ...nothing, id })
        )
      }).pipe(Effect.scoped))
    it.live(`with a header named __proto__ sets nothing by it, under "${invalid}"`, () =>
      Effect.gen(function*() {
        const url = yield* serveHttp({ server: { trust: "trusted", invalid } }, http)
        const calls = yield* post(url, [
          { headers: [["__proto__", { "x-request-id": id, baggage: "tenant=evil" }], ["x-basket", "b-1"]] },
          { headers: [["__proto__", "x"], ["constructor", "y"], ["get", "z"], ["x-basket", "b-1"]] }
        ])
        expect(calls.map(({ value }) => value)).toEqual([{ ...nothing, basket: "b-1" }, { ...nothing, basket: "b-1" }])
      }).pipe(Effect.scoped))
  }
  it.live("in one request with others has its own context", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp({}, http)
      const baskets = Array.from({ length: 20 }, (_, i) => `b-${i}`)
      const calls = yield* post(url, baskets.map((basket) => ({ headers: [["x-basket", basket]] })))
      expect(calls.map(({ value }) => value.basket)).toEqual(baskets)
    }).pipe(Effect.scoped))
  it.live("is refused alone, with the key and the reason, and never the value", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp({ server: { invalid: "reject" } }, http)
      const [refused, other] = yield* post(url, [{ headers: [["x-request-id", "s3cret"]] }, { headers: [] }])
      expect(refused.cause).toEqual({
        _tag: "Fail",
        error: { _tag: "InboundError", context: "test/reach/Request", key: "id", reason: "schema" }
      })
      expect(other.value).toEqual(nothing)
    }).pipe(Effect.scoped))
  it.live("over a WebSocket has the headers of the handshake, for as long as that is open, and its own over them", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp({}, RpcServer.layerProtocolWebsocket({ path: "/rpc" }))
      const socket = Socket.layerWebSocket(`${url.replace("http", "ws")}/rpc`).pipe(
        Layer.provide(Layer.succeed(
          Socket.WebSocketConstructor,
          (url) => new WebSocket(url, { headers: { "x-basket": "handshake" } }) as unknown as globalThis.WebSocket
        ))
      )
      const protocol = RpcClient.layerProtocolSocket().pipe(Layer.provide([socket, RpcSerialization.layerNdjson]))
      const services = yield* Layer.build(Layer.merge(client({}), protocol))
      const api = yield* Effect.provide(RpcClient.make(Api), services)
      expect(yield* api.Who()).toEqual({ ...nothing, basket: "handshake" })
      expect(yield* api.Who().pipe(Shop.provide(basket))).toEqual({ ...nothing, basket: "b-1" })
      expect(yield* api.Who()).toEqual({ ...nothing, basket: "handshake" })
    }).pipe(Effect.scoped))
})

class Echo extends RpcGroup.make(
  Rpc.make("Headers", { success: Schema.Record({ key: Schema.String, value: Schema.String }) })
).middleware(RequestRpc) {}

const echo = Echo.toLayer({ Headers: (_, { headers }) => Effect.succeed({ ...headers }) })

/** The headers that the client's side gives a call. */
const headersOf = (sides: Sides, given?: Record<string, string>) =>
  RpcTest.makeClient(Echo).pipe(
    Effect.flatMap((api) => api.Headers(undefined, given ? { headers: given } : {})),
    Effect.scoped,
    Effect.provide(Layer.mergeAll(echo, server(sides), client(sides)))
  )

describe("a client", () => {
  it.effect("sends a stranger public keys only, the default, and a trusted server all that travel", () =>
    Effect.gen(function*() {
      expect(yield* headersOf({})).toEqual({ "x-request-id": id })
      expect(yield* headersOf(trusted)).toEqual({
        "x-request-id": id,
        baggage: "tenant=a%20b,locale=de,roles=[%22x%22]"
      })
    }).pipe(Request.provide(entries)))
  it.effect("leaves headers of the call alone, and replaces the context's own members of its baggage", () =>
    Effect.map(
      headersOf(trusted, { "X-Request-Id": otherId, baggage: "tenant=old,other=1;p" }),
      (headers) =>
        expect(headers).toEqual({
          "x-request-id": otherId,
          baggage: "tenant=a%20b,locale=de,roles=[%22x%22],other=1;p"
        })
    ).pipe(Request.provide(entries)))
  it.effect("leaves out what cannot be carried, and the call goes on", () =>
    Effect.map(headersOf({}), (headers) => expect(headers).toEqual({})).pipe(
      Request.provide({ ...entries, id: "a\r\nx-evil: 1" })
    ))
  it.effect("makes a call in a child of the caller's fiber: what it sends has been forked", () =>
    Effect.map(headersOf(trusted), ({ baggage }) => expect(baggage).toContain("roles=[%22x%22]")).pipe(
      Request.provide({ ...entries, roles: ["admin", "x"] })
    ))
  it.live("that was built in one request sends nothing of it in calls from elsewhere", () =>
    Effect.gen(function*() {
      const url = yield* serveHttp(trusted, http)
      const api = yield* openHttp(url, trusted).pipe(Request.provide(entries), Shop.provide(basket))
      expect(yield* api.Who()).toEqual(nothing)
      expect(yield* api.Who().pipe(Request.provide({ id, tenant: "b" }))).toMatchObject({ id, tenant: "b" })
    }).pipe(Effect.scoped))
  it.live("in a request with passthrough sends what else its baggage had to trusted servers", () =>
    Effect.gen(function*() {
      const node = createServer()
      const call = (sides: Sides) => Effect.map(headersOf(sides), ({ baggage }) => baggage ?? "")
      yield* Layer.build(
        HttpRouter.Default.serve(
          HttpServerContext.middleware(Request, { seed, trusted: () => true, passthrough: true })
        )
          .pipe(
            Layer.provide(HttpRouter.Default.use((router) =>
              router.get(
                "/",
                Effect.flatMap(Effect.all([call(trusted), call({})]), HttpServerResponse.json).pipe(Effect.orDie)
              )
            )),
            Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" }))
          )
      )
      const got = yield* Effect.promise(async () => {
        const response = await fetch(urlOf(node), { headers: { baggage: "tenant=acme,vendor=1;p" } })
        return response.json()
      })
      expect(got).toEqual(["tenant=acme,locale=en,vendor=1;p", ""])
    }).pipe(Effect.scoped))
})

describe("a server", () => {
  it.live("attaches a call's own context inside of an HTTP request that has one", () =>
    Effect.gen(function*() {
      const node = createServer()
      yield* Layer.build(
        HttpRouter.Default.serve(
          HttpServerContext.middleware(Request, { seed: () => ({ id: otherId, tenant: "of HTTP" }) })
        )
          .pipe(
            Layer.provide(RpcServer.layer(Api)),
            Layer.provide(Layer.merge(handlers(), server({}))),
            Layer.provide(http),
            Layer.provide(RpcSerialization.layerNdjson),
            Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" }))
          )
      )
      const [call] = yield* post(urlOf(node), [{ headers: [] }], { "x-request-id": id })
      expect(call.value).toEqual({ ...nothing, id })
    }).pipe(Effect.scoped))

  class Names extends Context.Tag("Names")<Names, { readonly next: Effect.Effect<string> }>() {}
  class NoName extends Schema.TaggedError<NoName>()("NoName", {}) {}
  class NamedRpc extends RpcMiddleware.Tag<NamedRpc>()("NamedRpc", {
    wrap: true,
    provides: Request,
    requiredForClient: true,
    failure: Schema.Union(NoName, InboundError)
  }) {}
  class Named extends RpcGroup.make(Rpc.make("Who", { success: Schema.String })).middleware(NamedRpc) {}
  const named = Named.toLayer({ Who: () => Request.get("tenant") })

  it.effect("seeds by an effect, which has services, sees the call, and fails as the middleware says", () =>
    Effect.gen(function*() {
      const live = RpcContext.layerServer(NamedRpc, Request, {
        seed: (got, { clientId, headers, rpc }) =>
          headers["x-anonymous"] === undefined
            ? Effect.flatMap(Names, ({ next }) =>
              Effect.map(next, (name) => ({ id: otherId, tenant: `${name} ${rpc._tag} ${clientId}`, ...got })))
            : new NoName()
      }).pipe(Layer.provide(Layer.succeed(Names, { next: Effect.succeed("ann") })))
      const services = Layer.mergeAll(named, live, RpcContext.layerClient(NamedRpc, Request))
      yield* Effect.gen(function*() {
        const api = yield* RpcTest.makeClient(Named)
        expect(yield* api.Who()).toBe("ann Who 0")
        expect(yield* Effect.flip(api.Who(undefined, { headers: { "x-anonymous": "1" } }))).toBeInstanceOf(NoName)
      }).pipe(Effect.scoped, Effect.provide(services))
    }))

  it.effect("writes keys with a span policy on the call's span, as they are at its start and at its end", () =>
    Effect.gen(function*() {
      const attributes: Array<readonly [string, string, unknown]> = []
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
            attributes: new Map(),
            attribute: (key, value) => void attributes.push([name, key, value]),
            event: () => {},
            addLinks: () => {},
            end: () => {}
          }) as Tracer.Span,
        context: (f) => f()
      })
      const changing = Named.toLayer({ Who: () => Effect.as(Request.set("id", otherId), "") })
      yield* Effect.flatMap(RpcTest.makeClient(Named), (api) => api.Who()).pipe(
        Effect.scoped,
        Effect.provide(Layer.mergeAll(
          changing,
          RpcContext.layerServer(NamedRpc, Request, { seed }),
          RpcContext.layerClient(NamedRpc, Request)
        )),
        Request.provide(entries),
        Effect.withTracer(tracer)
      )
      expect(attributes.filter(([name]) => name === "RpcServer.Who").filter(([, key]) => key !== "requestId")).toEqual([
        ["RpcServer.Who", "request.id", id],
        ["RpcServer.Who", "request.id", otherId]
      ])
    }))

  it.effect("drops what a key does not take, with a debug line that has no value", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const got = yield* RpcTest.makeClient(Named).pipe(
        Effect.flatMap((api) => api.Who(undefined, { headers: { "x-request-id": "s3cret", baggage: "tenant=" } })),
        Effect.scoped,
        Effect.provide(Layer.mergeAll(
          named,
          RpcContext.layerServer(NamedRpc, Request, { seed, trust: "trusted" }),
          RpcContext.layerClient(NamedRpc, Request)
        )),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.Debug)
      )
      expect(got).toBe("none")
      expect(lines).toHaveLength(2)
      expect(lines.join()).not.toContain("s3cret")
    }))
})
