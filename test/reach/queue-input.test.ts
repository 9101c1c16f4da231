/** What queues make of elements of any shape, and of carriers that are damaged, hostile or of another release. */
import { PersistedQueue } from "@effect/experimental"
import { describe, expect, it } from "@effect/vitest"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as QueueContext from "aiocontext/propagation/Queue"
import { Effect, Layer, Metric, Schema } from "effect"
import { plain } from "../support.js"
import { id, otherId, Request, seed } from "./request.js"

const producer = { id, tenant: "a b" }
const carrier = { "x-request-id": id, baggage: "tenant=a%20b,locale=en" }
const sent = { id, tenant: "a b", locale: "en", retries: 0 }
const seeded = { id: otherId, tenant: "none", locale: "en", retries: 0 }

const over = <E>(
  factory: Layer.Layer<PersistedQueue.PersistedQueueFactory, E, PersistedQueue.PersistedQueueFactory>
) => factory.pipe(Layer.provide(PersistedQueue.layer))

const layer = over(QueueContext.layer(Request, { seed }))

const make = <A, I>(schema: Schema.Schema<A, I>) => PersistedQueue.make({ name: "queue", schema })
const decorated = <A, I>(schema: Schema.Schema<A, I>, queues: typeof layer = layer) =>
  Effect.provide(make(schema), queues)
const raw = Effect.provide(make(Schema.Unknown), PersistedQueue.layer)

const look = <A>(value: A) => Effect.map(Request.data, (data) => ({ value, context: plain(data) }))
const asProducer = Request.provide(producer)
const asConsumer = Request.provide({ id, tenant: "consumer" })

/** What is stored of a value that is offered in a context. */
const stored = <A, I>(value: A, schema: Schema.Schema<A, I>, queues?: typeof layer) =>
  Effect.gen(function*() {
    yield* asProducer((yield* decorated(schema, queues)).offer(value))
    return yield* (yield* raw).take(Effect.succeed)
  }).pipe(Effect.provide(PersistedQueue.layerStoreMemory))

/** What a handler sees of a stored element. */
const handled = <A, I>(element: unknown, schema: Schema.Schema<A, I>, queues?: typeof layer) =>
  Effect.gen(function*() {
    yield* (yield* raw).offer(element)
    return yield* asConsumer((yield* decorated(schema, queues)).take(look))
  }).pipe(Effect.provide(PersistedQueue.layerStoreMemory))

/** What a handler sees of a value that is offered in a context. */
const roundTrip = <A, I>(value: A, schema: Schema.Schema<A, I>, queues?: typeof layer) =>
  Effect.flatMap(stored(value, schema, queues), (element) => handled(element, schema, queues))

const Strict = Schema.Struct({ to: Schema.String }).annotations({ parseOptions: { onExcessProperty: "error" } })
const Record = Schema.Record({ key: Schema.String, value: Schema.Number })

describe("an element", () => {
  class Mail extends Schema.Class<Mail>("Mail")({ to: Schema.String, at: Schema.Date }) {}
  const objects: ReadonlyArray<readonly [string, unknown, Schema.Schema<any, any>]> = [
    ["a struct", { to: "ann" }, Schema.Struct({ to: Schema.String })],
    ["a strict struct", { to: "ann" }, Strict],
    ["a record of numbers", { a: 1 }, Record],
    ["an empty record", {}, Record],
    ["a class", new Mail({ to: "ann", at: new Date(0) }), Mail],
    [
      "a tagged union",
      { _tag: "B", b: 1 },
      Schema.Union(Schema.TaggedStruct("A", {}), Schema.TaggedStruct("B", { b: Schema.Int }))
    ]
  ]
  for (const [name, value, schema] of objects) {
    it.effect(`that is ${name} carries the context, and decodes without it`, () =>
      Effect.map(roundTrip(value, schema), (seen) => expect(seen).toEqual({ value, context: sent })))
  }

  const others: ReadonlyArray<readonly [string, unknown, Schema.Schema<any, any>]> = [
    ["a text", "ann", Schema.String],
    ["a number", 1, Schema.Number],
    ["null", null, Schema.Null],
    ["an array", ["ann"], Schema.Array(Schema.String)],
    ["a text that was an object", { to: "ann" }, Schema.parseJson(Strict)],
    ["an object of a class of its own", new Date(0), Schema.DateFromSelf]
  ]
  const wrapping = over(QueueContext.layer(Request, { seed, wrap: true }))
  for (const [name, value, schema] of others) {
    it.effect(`that encodes to ${name} is left alone`, () =>
      Effect.gen(function*() {
        expect(yield* stored(value, schema)).toEqual(yield* Schema.encode(schema)(value))
        expect(yield* roundTrip(value, schema)).toEqual({ value, context: seeded })
      }))
    it.effect(`that encodes to ${name} carries the context if asked to, for whoever has the layer`, () =>
      Effect.gen(function*() {
        const encoded = yield* Schema.encode(schema)(value)
        expect(yield* stored(value, schema, wrapping)).toEqual({ "~aiocontext": [carrier, encoded] })
        expect(yield* roundTrip(value, schema, wrapping)).toEqual({ value, context: sent })
        expect(yield* handled({ "~aiocontext": [carrier, encoded] }, schema)).toEqual({ value, context: sent })
      }))
  }

  it.effect("is stored as it is where the context is not attached", () =>
    Effect.gen(function*() {
      for (const queues of [layer, wrapping]) {
        for (const value of [{ to: "ann" }, "ann"]) {
          yield* (yield* decorated(Schema.Unknown, queues)).offer(value)
          expect(yield* (yield* raw).take(Effect.succeed)).toEqual(value)
        }
      }
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))

  it.effect("whose own record says `~aiocontext` sets nothing", () =>
    Effect.gen(function*() {
      const record: Schema.Schema<unknown> = Schema.Unknown
      const value = JSON.parse(`{"to":"ann","__proto__":1,"~aiocontext":{"baggage":"tenant=evil"}}`)
      const { "~aiocontext": _, ...rest } = value
      expect(yield* roundTrip(value, record)).toEqual({ value: rest, context: sent })
      expect(yield* stored({ "~aiocontext": [1, 2] }, record)).toEqual({ "~aiocontext": carrier })
      // where there is nothing to carry, too
      const queue = yield* decorated(record)
      yield* queue.offer(value)
      expect(yield* asConsumer(queue.take(look))).toEqual({ value: rest, context: seeded })
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))

  it.effect("is decoded in its own context", () => {
    const Own = Schema.transformOrFail(Schema.Struct({ to: Schema.String }), Schema.Struct({ to: Schema.String }), {
      decode: ({ to }) => Effect.map(Request.get("tenant"), (tenant) => ({ to: `${to} of ${tenant}` })),
      encode: (value) => Effect.succeed(value)
    })
    return Effect.gen(function*() {
      const queue = yield* PersistedQueue.make({ name: "queue", schema: Own }).pipe(Effect.provide(layer))
      yield* asProducer(queue.offer({ to: "ann" }))
      expect(yield* asConsumer(queue.take(Effect.succeed))).toEqual({ to: "ann of a b" })
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory))
  })
})

describe("a carrier that is", () => {
  const deep = JSON.parse(`${"[".repeat(2000)}${"]".repeat(2000)}`)
  const carriers: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    ["a number", 5],
    ["a text", "tenant=evil"],
    ["a list", []],
    ["nested deeply", { baggage: deep, "x-request-id": deep }],
    ["empty", {}],
    ["of numbers and objects", { "x-request-id": 5, baggage: { tenant: "evil" } }],
    ["of unknown keys only", { "x-user": "root", baggage: "unknown=1", get: "x", constructor: "x" }],
    ["an own `__proto__`", JSON.parse(`{"__proto__":{"x-request-id":"${id}","baggage":"tenant=evil"}}`)],
    ["too long", { "x-request-id": id.repeat(100), baggage: `tenant=${"x".repeat(2000)}` }],
    ["of many commas", { baggage: ",".repeat(100_000) }],
    ["not what the schema says", { "x-request-id": "no uuid", baggage: "tenant=,locale=fr,roles=no" }],
    ["ambiguous", { "x-request-id": [id, id] }],
    ["percent-encoded badly", { "x-request-id": "%", baggage: "tenant,=%zz;" }]
  ]
  for (const [name, hostile] of carriers) {
    it.effect(`${name} gives the seed, and the element runs`, () =>
      Effect.gen(function*() {
        const element = { to: "ann", "~aiocontext": hostile }
        if (!Array.isArray(hostile)) {
          expect(yield* handled(element, Strict)).toEqual({ value: { to: "ann" }, context: seeded })
        }
        const traced = over(QueueContext.layer(Request, { seed, trace: true }))
        expect(yield* handled({ "~aiocontext": [hostile, "ann"] }, Schema.String, traced)).toEqual({
          value: "ann",
          context: seeded
        })
      }))
  }

  it.effect("good in part gives the seed for the other keys, which are counted", () =>
    Effect.gen(function*() {
      const dropped = Metric.counter("aiocontext_inbound_dropped", { incremental: true }).pipe(
        Metric.tagged("context", Request.key),
        Metric.tagged("key", "roles"),
        Metric.tagged("reason", "schema")
      )
      const before = yield* Metric.value(dropped)
      const element = {
        to: "ann",
        "~aiocontext": { ...carrier, "x-request-id": "no uuid", baggage: "tenant=x,roles=[1" }
      }
      const { context } = yield* handled(element, Strict)
      expect(context).toEqual({ ...seeded, tenant: "x" })
      expect((yield* Metric.value(dropped)).count).toBeGreaterThan(before.count)
    }))

  it.effect("without a readable `traceparent` leaves the consumer's span", () =>
    Effect.gen(function*() {
      const queue = yield* decorated(Strict, over(QueueContext.layer(Request, { seed, trace: true })))
      const all = [5, "", "00-x-y-01", `00-${"0".repeat(32)}-${"0".repeat(16)}`, ["00"], null]
      for (const traceparent of all) {
        yield* (yield* raw).offer({ to: "ann", "~aiocontext": { traceparent } })
        const name = queue.take(() => Effect.map(Effect.currentSpan, (span) => span.name))
        expect(yield* asConsumer(name).pipe(Effect.withSpan("consumer"))).toBe("consumer")
      }
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))
})

describe("two releases of a context", () => {
  class Old extends ContextSchema.Tag<Old>("test/reach/queue/Old")({
    id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id" })),
    tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" })),
    level: Schema.String.pipe(ContextSchema.key({ baggage: "level" })),
    gone: Schema.optionalWith(Schema.String.pipe(ContextSchema.key({ baggage: "gone" })), { exact: true })
  }) {}
  class New extends ContextSchema.Tag<New>("test/reach/queue/New")({
    // another form
    id: Schema.UUID.pipe(ContextSchema.key({ header: "x-request-id" })),
    // from baggage to a header
    tenant: Schema.String.pipe(ContextSchema.key({ header: "x-tenant" })),
    // another type
    level: Schema.Int.pipe(ContextSchema.key({ baggage: "level" })),
    // new and required
    region: Schema.String.pipe(ContextSchema.key({ baggage: "region" }))
  }) {}

  const oldQueues = over(
    QueueContext.layer(Old, { seed: (got) => ({ id: "old", tenant: "none", level: "low", ...got }) })
  )
  const newQueues = over(
    QueueContext.layer(New, { seed: (got) => ({ id: otherId, tenant: "none", level: 0, region: "eu", ...got }) })
  )

  it.effect("the new one reads the old one's elements", () =>
    Effect.gen(function*() {
      const produced = yield* decorated(Strict, oldQueues)
      const consumed = yield* decorated(Strict, newQueues)
      yield* produced.offer({ to: "ann" }).pipe(Old.provide({ id: "o-1", tenant: "a", level: "high", gone: "x" }))
      yield* produced.offer({ to: "bob" }).pipe(Old.provide({ id, tenant: "a", level: "3" }))
      const take = consumed.take(() => Effect.map(New.data, plain)).pipe(
        New.provide({ id, tenant: "", level: 9, region: "" })
      )
      expect(yield* take).toEqual({ id: otherId, tenant: "none", level: 0, region: "eu" })
      expect(yield* take).toEqual({ id, tenant: "none", level: 3, region: "eu" })
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))

  it.effect("the old one reads the new one's elements", () =>
    Effect.gen(function*() {
      const produced = yield* decorated(Strict, newQueues)
      const consumed = yield* decorated(Strict, oldQueues)
      yield* produced.offer({ to: "ann" }).pipe(New.provide({ id, tenant: "a", level: 3, region: "us" }))
      const take = consumed.take(() => Effect.map(Old.data, plain)).pipe(Old.provide({ id, tenant: "", level: "" }))
      expect(yield* take).toEqual({ id, tenant: "none", level: "3" })
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))
})

describe("a layer of queues", () => {
  it.effect("over another one shares the carrier with it", () => {
    class Job extends ContextSchema.Tag<Job>("test/reach/queue/Job")({
      name: Schema.String.pipe(ContextSchema.key({ header: "x-job" })),
      kind: Schema.String.pipe(ContextSchema.key({ baggage: "kind" }))
    }) {}
    const job = { name: "j-1", kind: "mail" }
    const jobs = QueueContext.layer(Job, { seed: (got) => ({ name: "none", kind: "none", ...got }) })
    const both: typeof layer = QueueContext.layer(Request, { seed, wrap: true }).pipe(Layer.provide(over(jobs)))
    return Effect.gen(function*() {
      for (const [value, schema] of [[{ to: "ann" }, Strict], ["ann", Schema.String]] as const) {
        const queue = yield* decorated(schema as Schema.Schema<unknown>, both)
        const offer = queue.offer(value).pipe(asProducer, Job.provide(job))
        yield* offer
        const carriers = { ...carrier, baggage: `kind=mail,${carrier.baggage}`, "x-job": "j-1" }
        expect(yield* (yield* raw).take(Effect.succeed)).toEqual(
          typeof value === "string" ? { "~aiocontext": [carriers, value] } : { ...value, "~aiocontext": carriers }
        )
        yield* offer
        const seen = queue.take((value) => Effect.zip(look(value), Effect.map(Job.data, plain)))
        expect(yield* seen.pipe(asConsumer, Job.provide({ name: "", kind: "" }))).toEqual([
          { value, context: sent },
          job
        ])
      }
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory))
  })

  it.effect("takes a seed that is an effect", () =>
    Effect.gen(function*() {
      const queues = over(QueueContext.layer(Request, { seed: (got) => Effect.sync(() => seed(got)) }))
      expect(yield* roundTrip({ to: "ann" }, Strict, queues)).toEqual({ value: { to: "ann" }, context: sent })
      expect(yield* handled({ to: "ann" }, Strict, queues)).toEqual({ value: { to: "ann" }, context: seeded })
    }))

  it.effect("writes the listed keys only, and reads all", () =>
    Effect.gen(function*() {
      const queues = over(QueueContext.layer(Request, { seed, keys: ["locale"] }))
      expect(yield* stored({ to: "ann" }, Strict, queues)).toEqual({
        to: "ann",
        "~aiocontext": { baggage: "locale=en" }
      })
      expect((yield* handled({ to: "ann", "~aiocontext": carrier }, Strict, queues)).context).toEqual(sent)
    }))

  it.effect("leaves an element in the queue whose handler is interrupted, with its context", () =>
    Effect.gen(function*() {
      const queue = yield* decorated(Strict)
      yield* asProducer(queue.offer({ to: "ann" }))
      yield* asConsumer(queue.take(() => Effect.interrupt)).pipe(Effect.exit)
      expect(yield* asConsumer(queue.take(look))).toEqual({ value: { to: "ann" }, context: sent })
    }).pipe(Effect.provide(PersistedQueue.layerStoreMemory)))
})
