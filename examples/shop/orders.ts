/**
 * The orders, on `@effect/platform`: Effect code. It asks for prices.
 */
import {
  FetchHttpClient,
  HttpClient,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import * as ContextLayers from "aiocontext/Layer"
import * as HttpClientContext from "aiocontext/propagation/HttpClient"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import { Context, Effect, flow, HashMap, Layer, Logger, Option, type Scope } from "effect"
import { createServer } from "node:http"
import { hostOf, type Ledger } from "./ledger.js"
import { Request } from "./request.js"

const seen = Effect.map(
  Effect.all([Request.get("id"), Request.get("tenant"), Request.get("locale")]),
  ([id, tenant, locale]) => ({ id, tenant, locale })
)

const router = (ledger: Ledger, prices: string) =>
  HttpRouter.empty.pipe(HttpRouter.get(
    "/orders/:number",
    Effect.gen(function*() {
      const { number = "" } = yield* HttpRouter.params
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      ledger.hops.push({ from: "gateway", to: "orders", order: number, headers })
      yield* Effect.log(`order ${number}: looked up`)
      const price = yield* HttpClient.get(`${prices}/prices/${number}`).pipe(
        Effect.flatMap(({ json }) => json),
        Effect.scoped
      )
      yield* Effect.log(`order ${number}: priced`)
      return yield* HttpServerResponse.json({ orders: yield* seen, ...price as object })
    })
  ))

/** Log lines go to the ledger, with the annotations that the keys' policies ask for. */
const logging = (ledger: Ledger) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, message }) => {
      const annotation = (name: string) => Option.getOrUndefined(HashMap.get(annotations, name))
      const text = String(message)
      if (text.startsWith("order ")) {
        ledger.lines.push({
          service: "orders",
          message: text,
          id: annotation("request_id"),
          tenant: annotation("tenant")
        })
      }
    })
  )

/** Starts the orders, beside the prices. */
export const startOrders = (ledger: Ledger, prices: string): Effect.Effect<string, never, Scope.Scope> => {
  const ctx = HttpServerContext.middleware(Request, {
    seed: (got) => ({ id: crypto.randomUUID(), tenant: "nobody", ...got }),
    // it can be reached from inside only
    trusted: () => true
  })
  const client = HttpClientContext.layer(Request, { trusted: [hostOf(prices)] }).pipe(
    Layer.provide(FetchHttpClient.layer)
  )
  const server = HttpServer.serve(router(ledger, prices), flow(HttpMiddleware.logger, ctx)).pipe(
    HttpServerContext.redact(Request),
    Layer.provide(client),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
    Layer.provide(ContextLayers.logAnnotations(Request)),
    Layer.provide(logging(ledger)),
    Layer.orDie
  )
  return Effect.map(Layer.build(server), (services) => {
    const { address } = Context.get(services, HttpServer.HttpServer)
    return address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : address.path
  })
}
