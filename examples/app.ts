/**
 * An HTTP app whose requests go through Effect code and through legacy code that knows nothing of Effect, and wake each
 * other on a pool of four connections. Each response says which request each layer of the code believed to run for.
 */
import { HttpMiddleware, HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { compat } from "aiocontext"
import * as ContextLayer from "aiocontext/Layer"
import { Effect, HashMap, Layer, Logger, Option, Pool } from "effect"
import { context, RequestContext } from "./app-context.js"
import { events } from "./legacy/events.js"
import { archiveLater, priceOrder } from "./legacy/invoices.js"
import { emit } from "./legacy/logger.js"
import type { Order } from "./legacy/repository.js"
import { findOrder } from "./legacy/repository.js"

/** Four connections, shared by all requests: who gives one back wakes who waits for one. */
export class Connections extends Effect.Service<Connections>()("example/Connections", {
  scoped: Pool.make({ acquire: Effect.sync(() => ({ queries: 0 })), size: 4 })
    .pipe(Effect.map((pool) => ({ pool })))
}) {}

const find = (number: string) =>
  Effect.async<Order, Error>((resume) => {
    findOrder(number, (error, order) => resume(order === undefined ? Effect.fail(error!) : Effect.succeed(order)))
  })

const announce = (number: string) =>
  Effect.async<string>((resume) => {
    events.emit("viewed", number, (seen) => resume(Effect.succeed(seen)))
  })

/** What the layers of the code saw. */
export interface Answer {
  readonly order: string
  readonly seen: Readonly<Record<string, string | undefined>>
}

/** Answers `GET /orders/:number`. */
export const viewOrder = (number: string): Effect.Effect<Answer, Error, Connections | RequestContext> =>
  Effect.gen(function*() {
    const { pool } = yield* Connections
    const seen: Record<string, string | undefined> = { route: yield* RequestContext.get("request_id") }
    yield* Effect.log(`order ${number}: asked for`)

    const order = yield* Effect.scoped(Effect.gen(function*() {
      const connection = yield* pool.get
      connection.queries++
      seen["woken with a connection"] = yield* RequestContext.get("request_id")
      seen["legacy code, woken with a connection"] = context.get("request_id")
      return yield* find(number)
    }))
    order.seen.forEach((id, i) => seen[`callback ${i + 1}`] = id)

    seen["event listener"] = yield* announce(number)
    const prices = yield* Effect.promise(() => priceOrder(number))
    prices.forEach((id, i) => seen[`async function ${i + 1}`] = id)
    seen["set by the async function"] = yield* RequestContext.get("priced_for")

    const children = yield* Effect.forEach(
      [1, 2],
      () => Effect.delay(Effect.sync(() => context.get("request_id")), 1),
      { concurrency: "unbounded" }
    )
    children.forEach((id, i) => seen[`child ${i + 1}`] = id)

    yield* Effect.sync(() => archiveLater(number))
    yield* Effect.log(`order ${number}: answered`)
    return { order: number, seen }
  })

/** Gives each request a context of its own: the id that it came with, or a new one. */
const withRequestContext = HttpMiddleware.make((app) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    app.pipe(RequestContext.provide({
      request_id: request.headers["x-request-id"] ?? crypto.randomUUID()
    })))
)

/** The app: needs no context, for it makes one a request. */
export const app = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/orders/:number",
    Effect.gen(function*() {
      const { number } = yield* HttpRouter.params
      return yield* HttpServerResponse.json(yield* viewOrder(number ?? ""))
    })
  ),
  withRequestContext
)

// Effect's own log lines go where the legacy ones go, with the request id that annotates them
const LegacyLogger = Logger.replace(
  Logger.defaultLogger,
  Logger.make(({ annotations, message }) =>
    emit({
      id: String(Option.getOrElse(HashMap.get(annotations, "request_id"), () => "-")),
      message: String(message)
    })
  )
)

/** What the app runs in. */
export const AppLive: Layer.Layer<Connections> = Layer.mergeAll(Connections.Default, LegacyLogger).pipe(
  Layer.provideMerge(ContextLayer.logAnnotations(RequestContext)),
  Layer.provideMerge(compat.layer)
)
