/** A context's entries on the wire, beside OpenTelemetry's propagator of the same W3C header. */
import { defaultTextMapGetter, defaultTextMapSetter, propagation, ROOT_CONTEXT } from "@opentelemetry/api"
import { W3CBaggagePropagator } from "@opentelemetry/core"
import { Schema } from "effect"
import * as Baggage from "../../dist/Baggage.js"
import * as ContextSchema from "../../dist/ContextSchema.js"
import * as Propagation from "../../dist/Propagation.js"
import { once, ratio, suite } from "../harness.js"

const text = (name) => Schema.String.pipe(ContextSchema.key({ baggage: name }))

class Request extends ContextSchema.Tag("bench/reach/Request")({
  id: text("id"),
  tenant: text("tenant"),
  locale: text("locale"),
  user: text("user")
}) {}

const entries = { id: "3f6f6d6e-6c0e-4d0e-9b0a-1f3a5c7e9b1d", tenant: "acme", locale: "de", user: "Ärzte & Co" }
const carrier = Propagation.encode(Request, entries)
const members = Object.entries(entries).map(([key, value]) => ({ key, value }))

const propagator = new W3CBaggagePropagator()
const theirs = propagation.setBaggage(
  ROOT_CONTEXT,
  propagation.createBaggage(Object.fromEntries(members.map(({ key, value }) => [key, { value }])))
)
const inject = () => {
  const headers = {}
  propagator.inject(theirs, headers, defaultTextMapSetter)
  return headers
}
const extract = (headers) => () => propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)

/** A header of 8 KiB that says nothing. */
const hostile = (piece) => ({ baggage: piece.repeat(8192 / piece.length) })
const commas = hostile(",")
const halves = hostile("a=%,")

const otel = "OpenTelemetry's `W3CBaggagePropagator`"

await suite([
  ratio({
    id: "reach-inject",
    what: "`Propagation.encode`: four keys, by policy and schema",
    against: otel,
    ours: once(() => Propagation.encode(Request, entries)),
    base: once(inject)
  }),
  ratio({
    id: "reach-extract",
    what: "`Propagation.decode`: four keys, by policy and schema",
    against: otel,
    ours: once(() => Propagation.decode(Request, carrier)),
    base: once(extract(carrier))
  }),
  ratio({
    id: "baggage-format",
    what: "`Baggage.format`: four members",
    against: otel,
    atMost: 1,
    ours: once(() => Baggage.format(members)),
    base: once(inject)
  }),
  ratio({
    id: "baggage-parse",
    what: "`Baggage.parse`: four members",
    against: otel,
    atMost: 1,
    ours: once(() => Baggage.parse(carrier.baggage)),
    base: once(extract(carrier))
  }),
  ratio({
    id: "reach-commas",
    what: "`Propagation.decode`: a hostile header, 8 KiB of `,`",
    against: otel,
    atMost: 1,
    ours: once(() => Propagation.decode(Request, commas)),
    base: once(extract(commas))
  }),
  ratio({
    id: "reach-halves",
    what: "`Propagation.decode`: a hostile header, 8 KiB of `a=%,`",
    against: otel,
    atMost: 1,
    ours: once(() => Propagation.decode(Request, halves)),
    base: once(extract(halves))
  })
])
