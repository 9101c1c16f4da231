/**
 * What one does with OpenTelemetry's baggage, with a context whose keys are members of that header.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/openTelemetryBaggage.ts
 */
import { compat } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as Propagation from "aiocontext/Propagation"
import { Effect, Schema } from "effect"
import assert from "node:assert/strict"

class Request extends ContextSchema.Tag<Request>("app/Request")({
  id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id" })),
  tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
}) {}
const request = compat.make(Request)

// -----------------------------------------------------------------------------------------------------------------
// promise code
// -----------------------------------------------------------------------------------------------------------------

const carrierHere = () => Propagation.encode(Request, request.toObject())

const handle = async () => {
  await Promise.resolve()
  return [request.get("tenant"), carrierHere(), request.locally({ tenant: "other" }, carrierHere)]
}

const carrier = { "x-request-id": "r-1", baggage: "tenant=acme" }
assert.deepEqual(await request.run({ id: "r-1", tenant: "acme" }, handle), [
  "acme",
  carrier,
  { "x-request-id": "r-1", baggage: "tenant=other" }
])
assert.deepEqual(Propagation.decode(Request, carrier).entries, { id: "r-1", tenant: "acme" })

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const handler = Effect.gen(function*() {
  assert.equal(yield* Request.get("tenant"), "acme")
  assert.deepEqual(yield* Propagation.inject(Request), carrier)
  assert.equal(yield* Request.get("tenant").pipe(Request.locally({ tenant: "other" })), "other")
  assert.deepEqual(yield* Propagation.extract(Request, carrier), { id: "r-1", tenant: "acme" })
})

await Effect.runPromise(handler.pipe(Request.provide({ id: "r-1", tenant: "acme" })))
