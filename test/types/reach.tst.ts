import type { PersistedQueue } from "@effect/experimental"
import type { Worker, WorkerRunner } from "@effect/platform"
import { Headers, HttpClient, HttpMiddleware, HttpServer, HttpServerResponse } from "@effect/platform"
import type { HttpServerRequest } from "@effect/platform"
import { RpcMiddleware } from "@effect/rpc"
import { compat } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayers from "aiocontext/Layer"
import * as Propagation from "aiocontext/Propagation"
import * as BullMQContext from "aiocontext/propagation/BullMQ"
import * as FetchContext from "aiocontext/propagation/Fetch"
import * as HttpClientContext from "aiocontext/propagation/HttpClient"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import * as NodeContext from "aiocontext/propagation/Node"
import * as QueueContext from "aiocontext/propagation/Queue"
import * as RpcContext from "aiocontext/propagation/Rpc"
import * as WorkerContext from "aiocontext/propagation/Worker"
import type { Telemetry } from "bullmq"
import type { Layer, Option } from "effect"
import type { Redacted } from "effect"
import { Effect, flow, Schema } from "effect"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { describe, expect, it } from "tstyche"
import { InboundError } from "../../src/reach-errors.js"

class Request extends ContextSchema.Tag<Request>("types/reach/Request")({
  id: Schema.UUID.pipe(
    ContextSchema.key({ header: "x-request-id", in: "public", out: "public", log: true, span: "request.id" })
  ),
  tenant: Schema.NonEmptyString.pipe(Schema.maxLength(64), ContextSchema.key({ baggage: "tenant", log: true })),
  locale: Schema.optionalWith(Schema.Literal("en", "de"), { default: () => "en" as const }).pipe(
    ContextSchema.key({ baggage: "locale", in: "public" })
  ),
  roles: Schema.optionalWith(
    Schema.Array(Schema.String).pipe(
      ContextSchema.key({ baggage: "roles", fork: (r) => r.filter((x) => x !== "admin") })
    ),
    { exact: true }
  ),
  retries: Schema.optionalWith(Schema.NonNegativeInt.pipe(ContextSchema.key({ join: (p = 0, c) => Math.max(p, c) })), {
    default: () => 0
  }),
  token: Schema.optionalWith(Schema.Redacted(Schema.String), { exact: true })
}) {}
const request = compat.make(Request)

interface Shape {
  readonly id: string
  readonly tenant: string
  readonly locale: "en" | "de"
  readonly roles?: ReadonlyArray<string>
  readonly retries: number
  readonly token?: Redacted.Redacted
}

describe("a context of a schema", () => {
  it("has the shape of its fields", () => {
    expect(request.toObject()).type.toBeAssignableTo<Shape>()
    expect<Shape>().type.toBeAssignableTo<ReturnType<typeof request.toObject>>()
    expect(Request.get("id")).type.toBe<Effect.Effect<string, never, Request>>()
    expect(Request.get("locale")).type.toBe<Effect.Effect<"en" | "de", never, Request>>()
    expect(Request.get("roles")).type.toBe<Effect.Effect<ReadonlyArray<string> | undefined, never, Request>>()
    expect(Request.get("retries")).type.toBe<Effect.Effect<number, never, Request>>()
    expect(Request.getOption("token")).type.toBe<
      Effect.Effect<Option.Option<Redacted.Redacted<string>>, never, Request>
    >()
    expect(Request.get).type.not.toBeCallableWith("nobody")
    expect(Request.set).type.not.toBeCallableWith("locale", "fr")
    expect(Request.delete).type.toBeCallableWith("roles")
    expect(Request.delete).type.not.toBeCallableWith("retries")
  })
  it("is seeded without what has a default", () => {
    const seed = { id: "a", tenant: "b" }
    expect(Request.provide).type.toBeCallableWith(seed)
    expect(Request.layer).type.toBeCallableWith(seed)
    expect(Request.layer(seed)).type.toBe<Layer.Layer<Request>>()
    expect(Request.get("id").pipe(Request.provide(seed))).type.toBe<Effect.Effect<string>>()
    expect(Request.provide).type.not.toBeCallableWith({ id: "a" })
    expect(Request.provide).type.not.toBeCallableWith({ ...seed, locale: "fr" })
  })
  it("has its schema", () => {
    expect<Schema.Schema.Type<typeof Request.schema>>().type.toBeAssignableTo<Shape>()
    expect<Schema.Schema.Context<typeof Request.schema>>().type.toBe<never>()
  })
  it("takes the options of Context.Tag", () => {
    expect(ContextSchema.Tag("types/reach/other")).type.toBeCallableWith({ id: Schema.String }, {
      join: "merge",
      required: ["id"]
    })
    expect(ContextSchema.Tag("types/reach/other")).type.not.toBeCallableWith({ id: Schema.String }, { join: "maybe" })
    expect(ContextSchema.Tag("types/reach/other")).type.not.toBeCallableWith({ id: Schema.String }, {
      required: ["no"]
    })
  })
  it("is told from one with the same fields, where its id is a type too", () => {
    class One extends ContextSchema.Tag<One, "types/reach/One">("types/reach/One")({ id: Schema.String }) {}
    class Two extends ContextSchema.Tag<Two, "types/reach/Two">("types/reach/Two")({ id: Schema.String }) {}
    expect(Effect.zip(One.get("id"), Two.get("id")).pipe(One.provide({ id: "a" }))).type.toBe<
      Effect.Effect<[string, string], never, Two>
    >()
  })
  it("has no fields that need services", () => {
    class Service extends Effect.Service<Service>()("types/reach/Service", { succeed: {} }) {}
    const needy = Schema.transformOrFail(Schema.String, Schema.String, {
      decode: (text) => Effect.as(Service, text),
      encode: (text) => Effect.succeed(text)
    })
    expect(ContextSchema.Tag("types/reach/other")).type.not.toBeCallableWith({ id: needy })
    expect(ContextSchema.Tag("types/reach/other")).type.not.toBeCallableWith({ id: Schema.optional(needy) })
  })
})

describe("a policy", () => {
  it("has the type of its field", () => {
    Schema.String.pipe(ContextSchema.key({
      fork: (value) => {
        expect(value).type.toBe<string>()
        return value
      },
      join: (parent, child) => {
        expect(parent).type.toBe<string | undefined>()
        expect(child).type.toBe<string>()
        return child
      }
    }))
    Schema.optionalWith(
      Schema.NumberFromString.pipe(ContextSchema.key({
        fork: (value) => {
          expect(value).type.toBe<number>()
          return value
        }
      })),
      { exact: true }
    )
    Schema.optionalWith(Schema.Number, { as: "Option" }).pipe(ContextSchema.key({
      fork: (value) => {
        expect(value).type.toBe<Option.Option<number>>()
        return value
      }
    }))
    Schema.optional(Schema.Number).pipe(ContextSchema.key({
      fork: (value) => {
        expect(value).type.toBe<number | undefined>()
        return value
      }
    }))
  })
  it("makes no value of another type", () => {
    // a string key forks to a string
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    Schema.String.pipe(ContextSchema.key({ fork: () => 1 }))
    // @ts-expect-error Type 'number' is not assignable to type 'string'
    Schema.String.pipe(ContextSchema.key({ join: () => 1 }))
    // @ts-expect-error Type '"anybody"' is not assignable to type
    Schema.String.pipe(ContextSchema.key({ in: "anybody" }))
  })
  it("leaves the schema what it is", () => {
    expect(Schema.String.pipe(ContextSchema.key({ log: true }))).type.toBe<typeof Schema.String>()
    expect(Schema.optional(Schema.String).pipe(ContextSchema.key({ log: true }))).type.toBe<
      Schema.optional<typeof Schema.String>
    >()
  })
})

describe("propagation", () => {
  type Got = Partial<Schema.Schema.Type<typeof Request.schema>>
  const seed = { id: "a", tenant: "b" }
  const read = Request.get("id")

  it("needs the context to inject, and nothing to extract", () => {
    expect(Propagation.inject(Request)).type.toBe<Effect.Effect<Propagation.Carrier, never, Request>>()
    expect(Propagation.inject).type.toBeCallableWith(Request, { trust: "public" })
    expect(Propagation.inject).type.not.toBeCallableWith(Request, { trust: "anybody" })
    expect(Propagation.extract(Request, {})).type.toBeAssignableTo<Effect.Effect<Got>>()
    expect(Propagation.encode).type.toBeCallableWith(Request, { locale: "de" })
    expect(Propagation.encode).type.not.toBeCallableWith(Request, { locale: "fr" })
    expect(Propagation.encode(Request, {})).type.toBe<Propagation.Carrier>()
    expect(Propagation.decode(Request, {}).errors).type.toBe<ReadonlyArray<InboundError>>()
    expect(Propagation.decode(Request, {}).entries.locale).type.toBe<"en" | "de" | undefined>()
  })
  it("fails only where input is rejected", () => {
    expect(Propagation.extract(Request, {}, { invalid: "drop" })).type.toBeAssignableTo<Effect.Effect<Got>>()
    expect(Propagation.extract(Request, {}, { invalid: "reject" })).type.toBeAssignableTo<
      Effect.Effect<Got, InboundError>
    >()
    expect(Propagation.extract(Request, {}, { invalid: "reject" })).type.not.toBeAssignableTo<Effect.Effect<Got>>()
  })
  it("reads records, Headers and the headers of Node", () => {
    expect(Propagation.decode).type.toBeCallableWith(Request, new globalThis.Headers())
    expect(Propagation.decode).type.toBeCallableWith(Request, Headers.empty)
    expect(Propagation.decode).type.toBeCallableWith(Request, {} as IncomingHttpHeaders)
    expect(Propagation.decode).type.toBeCallableWith(Request, { a: "b" })
    expect(Propagation.decode).type.not.toBeCallableWith(Request, "text")
  })
  it("discharges the context where it restores", () => {
    const restored = read.pipe(Propagation.restore(Request, {}, (got) => ({ ...seed, ...got })))
    expect(restored).type.toBe<Effect.Effect<string>>()
    expect(read.pipe(Propagation.restore(Request, {}, () => Effect.fail("no" as const)))).type.toBe<
      Effect.Effect<string, "no">
    >()
    expect(read.pipe(Propagation.restore(Request, {}, () => seed, { invalid: "reject" }))).type.toBe<
      Effect.Effect<string, InboundError>
    >()
  })
  it("takes a whole seed", () => {
    expect(Propagation.restore).type.not.toBeCallableWith(Request, {}, () => ({ id: "a" }))
    expect(Propagation.restore).type.not.toBeCallableWith(Request, {}, () => ({ ...seed, locale: "fr" }))
    expect(Propagation.restore).type.not.toBeCallableWith(Request, {}, () => Effect.succeed({ id: "a" }))
    expect(Propagation.restore).type.toBeCallableWith(Request, {}, () => Effect.succeed(seed))
  })
})

describe("Layer.late", () => {
  it("discharges the context", () => {
    expect(ContextLayers.late(Request)).type.toBe<Layer.Layer<Request>>()
    expect(Effect.provide(Request.get("id"), ContextLayers.late(Request))).type.toBe<Effect.Effect<string>>()
    expect(ContextLayers.late).type.not.toBeCallableWith("app/Request")
  })
})

describe("the boundaries of HTTP", () => {
  const seed = { id: "a", tenant: "b" }
  const app = Effect.map(Request.get("id"), (id) => HttpServerResponse.text(id))
  const ctx = HttpServerContext.middleware(Request, { seed: (got) => ({ ...seed, ...got }) })

  it("a server's middleware discharges the context", () => {
    expect(ctx(app)).type.toBe<
      Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>
    >()
    expect(HttpServer.serve(app, ctx)).type.toBe<Layer.Layer<never, never, HttpServer.HttpServer>>()
    expect(HttpServer.serve(app, flow(HttpMiddleware.logger, ctx))).type.toBe<
      Layer.Layer<never, never, HttpServer.HttpServer>
    >()
    expect(HttpServerContext.redact(Request)(HttpServer.serve(app, ctx))).type.toBe<
      Layer.Layer<never, never, HttpServer.HttpServer>
    >()
  })
  it("a seed may be an effect, with its error and its services", () => {
    class Ids extends Effect.Service<Ids>()("types/reach/Ids", { succeed: { next: "a" } }) {}
    const effectful = HttpServerContext.middleware(Request, {
      seed: (got) => Effect.map(Ids, ({ next }) => ({ ...seed, id: next, ...got }))
    })
    expect(effectful(app)).type.toBe<
      Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest | Ids>
    >()
  })
  it("a seed is whole, and an echo a key", () => {
    expect(HttpServerContext.middleware).type.not.toBeCallableWith(Request, { seed: () => ({ id: "a" }) })
    expect(HttpServerContext.middleware).type.not.toBeCallableWith(Request, { seed: () => seed, echo: ["nobody"] })
    expect(NodeContext.middleware).type.not.toBeCallableWith(Request, { seed: () => ({ id: "a" }) })
    expect(NodeContext.middleware).type.not.toBeCallableWith(Request, { seed: () => Effect.succeed(seed) })
  })
  it("a client is what it was", () => {
    expect(HttpClientContext.layer(Request, { trusted: ["a:1", (url) => url.protocol === "https:"] })).type.toBe<
      Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient>
    >()
    expect(FetchContext.layer(Request)).type.toBe<Layer.Layer<never>>()
    expect(FetchContext.wrap(fetch, Request)).type.toBe<typeof fetch>()
  })
  it("a queue's factory is what it was", () => {
    expect(QueueContext.layer(Request, { seed: (got) => ({ ...seed, ...got }), keys: ["id"], trace: true })).type.toBe<
      Layer.Layer<PersistedQueue.PersistedQueueFactory, never, PersistedQueue.PersistedQueueFactory>
    >()
    QueueContext.layer(Request, { seed: () => Effect.succeed(seed) })
    expect(QueueContext.layer).type.not.toBeCallableWith(Request, { seed: () => Effect.fail("no") })
    expect(QueueContext.layer).type.not.toBeCallableWith(Request, { seed: () => ({ id: "a" }) })
    expect(QueueContext.layer).type.not.toBeCallableWith(Request, { seed: () => seed, keys: ["nobody"] })
  })
  it("a telemetry is one of BullMQ", () => {
    const telemetry = BullMQContext.telemetry(Request, { seed: (got) => ({ ...seed, ...got }), keys: ["id"] })
    expect(telemetry).type.toBe<Telemetry>()
    BullMQContext.telemetry(Request, { seed: () => seed, inner: telemetry })
    expect(BullMQContext.telemetry).type.not.toBeCallableWith(Request, { seed: () => Effect.succeed(seed) })
    expect(BullMQContext.telemetry).type.not.toBeCallableWith(Request, { seed: () => seed, keys: ["nobody"] })
  })
  it("a middleware of promise code has the framework's own request", () => {
    expect(NodeContext.middleware(Request, { seed: () => seed })).type.toBe<
      (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void
    >()
    interface Own extends IncomingMessage {
      readonly ip: string
    }
    NodeContext.middleware(Request, { seed: () => seed, trusted: (request: Own) => request.ip === "127.0.0.1" })
    NodeContext.hono(Request, { seed: () => seed, trusted: (c) => c.req.raw.headers.has("x-peer") })
    NodeContext.koa(Request, { seed: () => seed, trusted: (ctx) => ctx.req.socket.remoteAddress === "127.0.0.1" })
    NodeContext.fastify(Request, { seed: () => seed, trusted: (request) => request.raw.headers["x-peer"] === "1" })
  })
})

describe("the boundaries of processes", () => {
  const seed = { id: "a", tenant: "b" }
  class Ids extends Effect.Service<Ids>()("types/reach/Ids", { succeed: { next: "a" } }) {}
  class NoSeed extends Schema.TaggedError<NoSeed>()("NoSeed", {}) {}
  class Bare extends RpcMiddleware.Tag<Bare>()("Bare", { wrap: true, provides: Request, requiredForClient: true }) {}
  class Failing extends RpcMiddleware.Tag<Failing>()("Failing", {
    wrap: true,
    provides: Request,
    requiredForClient: true,
    failure: Schema.Union(NoSeed, InboundError)
  }) {}

  it("an RPC middleware has both its sides", () => {
    expect(RpcContext.layerServer(Bare, Request, { seed: (got) => ({ ...seed, ...got }) })).type.toBe<
      Layer.Layer<Bare>
    >()
    expect(RpcContext.layerClient(Bare, Request)).type.toBe<Layer.Layer<RpcMiddleware.ForClient<Bare>>>()
  })
  it("an RPC seed may be an effect, with its services and the failures of the middleware", () => {
    const next = Effect.map(Ids, ({ next }) => ({ ...seed, id: next }))
    expect(RpcContext.layerServer(Bare, Request, { seed: () => next })).type.toBe<Layer.Layer<Bare, never, Ids>>()
    expect(RpcContext.layerServer(Failing, Request, { seed: () => Effect.fail(new NoSeed()) })).type.toBe<
      Layer.Layer<Failing>
    >()
    expect(RpcContext.layerServer).type.not.toBeCallableWith(Bare, Request, { seed: () => Effect.fail(new NoSeed()) })
    expect(RpcContext.layerServer).type.not.toBeCallableWith(Bare, Request, { seed: () => ({ id: "a" }) })
  })
  it("an RPC call is rejected only where the middleware declares the failure", () => {
    RpcContext.layerServer(Failing, Request, { seed: () => seed, invalid: "reject" })
    RpcContext.layerServer(Bare, Request, { seed: () => seed, invalid: "drop" })
    expect(RpcContext.layerServer).type.not.toBeCallableWith(Bare, Request, { seed: () => seed, invalid: "reject" })
  })
  it("an RPC middleware wraps, and provides that context", () => {
    class Around extends RpcMiddleware.Tag<Around>()("Around", { provides: Request }) {}
    class Other extends RpcMiddleware.Tag<Other>()("Other", { wrap: true, provides: Ids }) {}
    expect(RpcContext.layerServer).type.not.toBeCallableWith(Around, Request, { seed: () => seed })
    expect(RpcContext.layerServer).type.not.toBeCallableWith(Other, Request, { seed: () => seed })
  })
  it("a platform of workers is what it was, with what the seed needs", () => {
    expect(WorkerContext.layerPlatform(Request)).type.toBe<
      Layer.Layer<Worker.PlatformWorker, never, Worker.PlatformWorker>
    >()
    expect(WorkerContext.layerRunner(Request, { seed: (got) => ({ ...seed, ...got }) })).type.toBe<
      Layer.Layer<WorkerRunner.PlatformRunner, never, WorkerRunner.PlatformRunner>
    >()
    expect(WorkerContext.layerRunner(Request, { seed: () => Effect.as(Ids, seed) })).type.toBe<
      Layer.Layer<WorkerRunner.PlatformRunner, never, WorkerRunner.PlatformRunner | Ids>
    >()
    expect(WorkerContext.layerRunner).type.not.toBeCallableWith(Request, { seed: () => ({ id: "a" }) })
    expect(WorkerContext.layerRunner).type.not.toBeCallableWith(Request, { seed: () => Effect.fail("no") })
  })
})
