/**
 * What one does with nestjs-cls: a store for each request, with an id that the response shows.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/nestjsCls.ts
 */
import { HttpApp, HttpServerResponse } from "@effect/platform"
import { compat } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as HttpServerContext from "aiocontext/propagation/HttpServer"
import * as NodeContext from "aiocontext/propagation/Node"
import { Effect, Option, Schema } from "effect"
import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

class Request extends ContextSchema.Tag<Request>("app/Request")({
  id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", in: "public" })),
  user: Schema.optionalWith(Schema.String, { exact: true })
}) {}
const request = compat.make(Request)

const seed = (got: { readonly id?: string }) => ({ id: crypto.randomUUID(), ...got })
const headers = { "x-request-id": "r-1" }

// -----------------------------------------------------------------------------------------------------------------
// promise code
// -----------------------------------------------------------------------------------------------------------------

const read = () => request.get("user")

const handle = async () => {
  await Promise.resolve()
  assert.equal(request.has("user"), false)
  request.set("user", "ann")
  assert.equal(request.locally({ user: "bob" }, read), "bob")
  return `${request.get("id")} ${request.get("user")}`
}

const withRequest = NodeContext.listener(Request, { seed, echo: ["id"] })
const server = createServer(withRequest((_, response) => void handle().then((text) => response.end(text))))
await once(server.listen(0, "127.0.0.1"), "listening")
const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { headers })
assert.deepEqual([await response.text(), response.headers.get("x-request-id")], ["r-1 ann", "r-1"])
server.close()
server.closeAllConnections()
assert.equal(request.attached, false)

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const handler = Effect.gen(function*() {
  assert.equal(yield* Request.has("user"), false)
  yield* Request.set("user", "ann")
  assert.equal(yield* Request.get("user").pipe(Request.locally({ user: "bob" })), "bob")
  assert.deepEqual(yield* Request.peek("id"), Option.some(yield* Request.get("id")))
  return HttpServerResponse.text(`${yield* Request.get("id")} ${yield* Request.get("user")}`)
})

const ctx = HttpServerContext.middleware(Request, { seed, echo: ["id"] })
const answer = await HttpApp.toWebHandler(ctx(handler))(new globalThis.Request("http://app", { headers }))
assert.deepEqual([await answer.text(), answer.headers.get("x-request-id")], ["r-1 ann", "r-1"])
