/** The server that the HTTP rows measure, with the library and without. */
import { HttpMiddleware, HttpRouter, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Layer, Logger, Schema } from "effect"
import { compat, Context } from "../../dist/index.js"
import * as ContextSchema from "../../dist/ContextSchema.js"
import * as ContextLayer from "../../dist/Layer.js"
import * as HttpServerContext from "../../dist/propagation/HttpServer.js"

class Request extends Context.Tag("bench/Request")() {}

const request = compat.make(Request)

const lookUp = async (id) => ({ id, name: "Ann" })

const withContext = HttpMiddleware.make((app) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers, method, url }) =>
    Request.provide({ request_id: headers["x-request-id"] ?? "none", method, url })(app))
)

const lookUpHere = async () => {
  const user = await lookUp(request.get("request_id"))
  request.set("user", user.name)
  return user
}

/** A lookup in promise code and a log line, in a request that has a context. */
const withLibrary = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/users",
    Effect.gen(function*() {
      const user = yield* Effect.promise(lookUpHere)
      yield* Effect.log("looked up")
      return HttpServerResponse.unsafeJson({ ...user, seen: yield* Request.get("user") })
    })
  ),
  withContext
)

/** The same, with the request id handed on by hand. */
const without = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/users",
    Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const user = yield* Effect.promise(() => lookUp(headers["x-request-id"] ?? "none"))
      yield* Effect.log("looked up")
      return HttpServerResponse.unsafeJson({ ...user, seen: user.name })
    })
  )
)

/** The same lines in the log as with the library, by the means that Effect has. */
const byHand = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/users",
    Effect.gen(function*() {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      const user = yield* Effect.promise(() => lookUp(headers["x-request-id"] ?? "none"))
      yield* Effect.annotateLogs(Effect.log("looked up"), { user: user.name })
      return HttpServerResponse.unsafeJson({ ...user, seen: user.name })
    })
  ),
  HttpMiddleware.make((app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers, method, url }) =>
      Effect.annotateLogs(app, { request_id: headers["x-request-id"] ?? "none", method, url }))
  )
)

const text = (policy) => Schema.String.pipe(ContextSchema.key(policy))

class Travelling extends ContextSchema.Tag("bench/Travelling")({
  id: text({ header: "x-request-id", in: "public", out: "public" }),
  tenant: text({ baggage: "tenant" }),
  locale: text({ baggage: "locale" }),
  user: text({ baggage: "user" })
}) {}

const own = { id: "none", tenant: "none", locale: "en", user: "none" }

const travelling = HttpRouter.empty.pipe(
  HttpRouter.get("/users", Effect.map(Travelling.data, () => HttpServerResponse.unsafeJson({ name: "Ann" })))
)

/** The context by the keys' policies. */
const reach = HttpServerContext.middleware(Travelling, {
  seed: (got) => ({ ...own, ...got }),
  trusted: () => true,
  echo: ["id"]
})

/** The same context, as one writes it who checks nothing. */
const reachByHand = HttpMiddleware.make((app) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const id = headers["x-request-id"] ?? own.id
    const baggage = new URLSearchParams((headers["baggage"] ?? "").replaceAll(",", "&"))
    return Effect.map(
      Travelling.provide({ ...own, ...Object.fromEntries(baggage), id })(app),
      HttpServerResponse.setHeader("x-request-id", id)
    )
  })
)

/** Log lines are formatted and dropped: a terminal is slower than all that is measured here. */
const logger = Logger.replace(Logger.defaultLogger, Logger.map(Logger.logfmtLogger, () => undefined))

/** The app and the layer below it, by what they have of the library. */
export const apps = {
  bare: { app: without, layer: logger },
  reach: { app: reach(travelling), layer: logger },
  reachByHand: { app: reachByHand(travelling), layer: logger },
  byHand: { app: byHand, layer: logger },
  bridge: { app: without, layer: Layer.provideMerge(logger, compat.layer) },
  library: {
    app: withLibrary,
    layer: Layer.mergeAll(ContextLayer.logAnnotations(Request), logger).pipe(Layer.provideMerge(compat.layer))
  }
}
