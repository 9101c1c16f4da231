import { Headers as EffectHeaders } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Context, Ctx } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as Propagation from "aiocontext/Propagation"
import { Effect, Logger, LogLevel, Metric, Redacted, Schema } from "effect"
import { InboundError } from "../../src/reach-errors.js"
import { id, otherId, Request } from "./request.js"

const entries = { id, tenant: "Ärzte, & \"Co\"", locale: "de", roles: ["a", "b,c"], retries: 3 } as const
const carrier = {
  "x-request-id": id,
  baggage: "tenant=%C3%84rzte%2C%20&%20%22Co%22,locale=de,roles=[%22a%22%2C%22b%2Cc%22]"
}

const errorsOf = (source: Propagation.Source, options?: Propagation.Options): ReadonlyArray<string> =>
  Propagation.decode(Request, source, options).errors.map(({ key, reason }) => `${key}: ${reason}`)
const entriesOf = (source: Propagation.Source, options?: Propagation.Options) =>
  Propagation.decode(Request, source, options).entries

describe("a carrier", () => {
  it("has one entry a header key, and one for all baggage keys", () => {
    expect(Propagation.encode(Request, entries)).toEqual(carrier)
    expect(Propagation.encode(Request, { id })).toEqual({ "x-request-id": id })
    expect(Propagation.encode(Request, {})).toEqual({})
  })
  it("has no key without a wire name", () => {
    expect(JSON.stringify(Propagation.encode(Request, { ...entries, token: Redacted.make("s3cret") }))).not.toMatch(
      /s3cret|retries/
    )
  })
  it("gives back what was encoded", () => {
    const { retries: _, ...carried } = entries
    expect(Propagation.decode(Request, carrier)).toEqual({ entries: carried, errors: [] })
  })
  it.effect("is what a fiber injects", () =>
    Effect.gen(function*() {
      yield* Request.set("locale", "de")
      expect(yield* Propagation.inject(Request)).toEqual({ "x-request-id": id, baggage: "tenant=acme,locale=de" })
    }).pipe(Request.provide({ id, tenant: "acme" })))
  it.effect("of the untyped dict is empty, whatever it holds", () =>
    Effect.gen(function*() {
      expect(yield* Propagation.inject(Ctx)).toEqual({})
      expect(Propagation.decode(Ctx, carrier)).toEqual({ entries: {}, errors: [] })
    }).pipe(Ctx.provide({ id, "x-request-id": id, tenant: "acme" })))
  it.effect("of a context without policies is empty", () => {
    class Plain extends Context.Tag("test/reach/Plain")<Plain, { readonly id: string }>() {}
    return Effect.gen(function*() {
      expect(yield* Propagation.inject(Plain)).toEqual({})
      expect(Propagation.decode(Plain, carrier)).toEqual({ entries: {}, errors: [] })
    }).pipe(Plain.provide({ id }))
  })
})

describe("a carrier is read from", () => {
  const { retries: _, ...expected } = entries
  const sources: Record<string, Propagation.Source> = {
    "a record": carrier,
    "a record without a prototype": Object.assign(Object.create(null), carrier),
    "Headers of fetch": new Headers(carrier),
    "Headers of Effect": EffectHeaders.fromInput(carrier),
    "the headers of a Node request": { ...carrier, "set-cookie": ["a"], host: undefined },
    "the distinct headers of a Node request": { "x-request-id": [id], baggage: carrier.baggage.split(",") },
    "a Map": new Map(Object.entries(carrier)) as never
  }
  for (const [name, source] of Object.entries(sources)) {
    it(name, () => {
      expect(Propagation.decode(Request, source)).toEqual({ entries: expected, errors: [] })
    })
  }
  for (const nothing of [undefined, null, 1, "text", [], () => {}]) {
    it(`${typeof nothing} ${String(nothing)}, as from an empty one`, () => {
      expect(Propagation.decode(Request, nothing as never)).toEqual({ entries: {}, errors: [] })
    })
  }
  it("its own properties only", () => {
    class Named extends ContextSchema.Tag<Named>("test/reach/Named")({
      a: Schema.String.pipe(ContextSchema.key({ header: "constructor" })),
      b: Schema.String.pipe(ContextSchema.key({ header: "x-b" })),
      c: Schema.String.pipe(ContextSchema.key({ baggage: "__proto__" }))
    }) {}
    expect(Propagation.decode(Named, {})).toEqual({ entries: {}, errors: [] })
    expect(Propagation.decode(Named, Object.create({ "x-b": "b" }))).toEqual({ entries: {}, errors: [] })
    const all = { a: "1", b: "2", c: "3" }
    expect(Propagation.decode(Named, Propagation.encode(Named, all)).entries).toEqual(all)
  })
  it("JSON with __proto__ in it", () => {
    const hostile = JSON.parse(`{"__proto__": {"x-request-id": "${id}"}, "baggage": {"__proto__": "x"}}`)
    expect(Propagation.decode(Request, hostile)).toEqual({ entries: {}, errors: [] })
  })
})

describe("trust", () => {
  it("is trusted by default", () => {
    expect(entriesOf(carrier)).toMatchObject({ tenant: entries.tenant })
  })
  it("a stranger can set only public keys, and the others are not looked at", () => {
    expect(entriesOf(carrier, { trust: "public" })).toEqual({ id, locale: "de" })
    expect(errorsOf({ baggage: "tenant=,roles=x" }, { trust: "public" })).toEqual([])
  })
  it("a stranger is sent only public keys", () => {
    expect(Propagation.encode(Request, entries, { trust: "public" })).toEqual({ "x-request-id": id })
  })
  it("goes one way or no way, where a policy says so", () => {
    class OneWay extends ContextSchema.Tag<OneWay>("test/reach/OneWay")({
      out: Schema.String.pipe(ContextSchema.key({ header: "x-out", in: false, out: "public" })),
      in: Schema.String.pipe(ContextSchema.key({ header: "x-in", in: "public", out: false }))
    }) {}
    const both = { out: "1", in: "2" }
    const wire = { "x-out": "1", "x-in": "2" }
    for (const trust of ["trusted", "public"] as const) {
      expect(Propagation.encode(OneWay, both, { trust })).toEqual({ "x-out": "1" })
      expect(Propagation.decode(OneWay, wire, { trust }).entries).toEqual({ in: "2" })
    }
  })
})

describe("what is refused", () => {
  it("is too long, as it stands on the wire", () => {
    expect(errorsOf({ "x-request-id": "x".repeat(257) })).toEqual(["id: size"])
    class Limits extends ContextSchema.Tag<Limits>("test/reach/Limits")({
      a: Schema.String.pipe(ContextSchema.key({ header: "x-a", maxBytes: 3 })),
      b: Schema.String.pipe(ContextSchema.key({ baggage: "b", maxBytes: 6 }))
    }) {}
    const reasons = (source: Propagation.Source) =>
      Propagation.decode(Limits, source).errors.map(({ reason }) => reason)
    expect(reasons({ "x-a": "abc", baggage: "b=%C3%A9" })).toEqual([])
    expect(reasons({ "x-a": "abcd", baggage: "b=a%C3%A9" })).toEqual(["size", "size"])
    expect(reasons({ baggage: "b=ééé" })).toEqual([])
    expect(reasons({ baggage: "b=éééé" })).toEqual(["size"])
    expect(Propagation.encode(Limits, { a: "abc", b: "é" })).toEqual({ "x-a": "abc", baggage: "b=%C3%A9" })
    expect(Propagation.encode(Limits, { a: "abcd", b: "aé" })).toEqual({})
  })
  it("is no header value", () => {
    for (const text of ["é", "\u0000", "a\r\nb", " a", "a ", "a\tb", "\ud800"]) {
      expect(errorsOf({ "x-request-id": text })).toEqual(["id: encoding"])
    }
  })
  it("is not percent-decoded, where it is a header", () => {
    class Raw extends ContextSchema.Tag<Raw>("test/reach/Raw")({
      a: Schema.String.pipe(ContextSchema.key({ header: "x-a" }))
    }) {}
    expect(Propagation.decode(Raw, { "x-a": "a b%20%0d%0a" }).entries).toEqual({ a: "a b%20%0d%0a" })
    expect(Propagation.encode(Raw, { a: "a b%20" })).toEqual({ "x-a": "a b%20" })
  })
  it("is not what the schema says", () => {
    expect(errorsOf({ "x-request-id": "no uuid", baggage: "tenant=,locale=fr,roles=[1]" })).toEqual([
      "id: schema",
      "tenant: schema",
      "locale: schema",
      "roles: schema"
    ])
  })
  it("is no JSON, where JSON is needed", () => {
    for (const text of ["", "[", "undefined", "{}", "[".repeat(900), "\"a\""]) {
      expect(errorsOf({ baggage: `roles=${text}` })).toEqual(["roles: schema"])
    }
  })
  it("is ambiguous: several headers of one name", () => {
    expect(errorsOf({ "x-request-id": [id, otherId] })).toEqual(["id: ambiguous"])
    expect(errorsOf({ "x-request-id": [id, id] })).toEqual(["id: ambiguous"])
    expect(entriesOf({ baggage: ["tenant=a", "tenant=b,locale=de"] })).toEqual({ tenant: "b", locale: "de" })
  })
  it("and what is no text is not there", () => {
    for (const value of [1, true, null, undefined, {}, [1], [], [null, id]]) {
      expect(errorsOf({ "x-request-id": value, baggage: value })).toEqual([])
    }
  })
  it("leaves the other keys alone", () => {
    expect(Propagation.decode(Request, { ...carrier, "x-request-id": "no uuid" }).entries).toMatchObject({
      tenant: entries.tenant,
      locale: "de"
    })
  })
  it("JSON that would set a prototype, number too large, recursion too deep", () => {
    interface Tree {
      readonly tree?: Tree | undefined
    }
    const Tree: Schema.Schema<Tree> = Schema.Struct({ tree: Schema.optional(Schema.suspend(() => Tree)) })
    class Json extends ContextSchema.Tag<Json>("test/reach/Json")({
      record: Schema.Record({ key: Schema.String, value: Schema.Unknown }).pipe(
        ContextSchema.key({ baggage: "record" })
      ),
      int: Schema.Int.pipe(ContextSchema.key({ baggage: "int" })),
      tree: Tree.pipe(ContextSchema.key({ header: "tree", maxBytes: 10_000_000 }))
    }) {}
    const reasons = (source: Propagation.Source) =>
      Propagation.decode(Json, source).errors.map(({ key, reason }) => `${key}: ${reason}`)
    expect(reasons({ baggage: `record={"__proto__":{"a":1}}` })).toEqual(["record: schema"])
    expect(reasons({ baggage: `record={"a":{"__proto__":1}}` })).toEqual(["record: schema"])
    expect(reasons({ baggage: `record={"\\u005f_proto__":1}` })).toEqual(["record: schema"])
    expect(reasons({ baggage: `record={"a":"__proto__"}` })).toEqual([])
    expect(reasons({ baggage: "int=1e999" })).toEqual(["int: schema"])
    expect(reasons({ tree: `{"tree":`.repeat(100_000) + "{}" + "}".repeat(100_000) })).toEqual(["tree: schema"])
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })
})

describe("any carrier", () => {
  // `REACH_RUNS=1000000 npx vitest run test/reach/propagation.test.ts` takes some ten seconds
  const runs = Number(process.env["REACH_RUNS"] ?? 100_000)
  it(`is read without an error, ${runs} times`, { timeout: 120_000 }, () => {
    const pieces = [
      "tenant",
      "roles",
      "locale",
      "=",
      ",",
      ";",
      "[",
      "]",
      "\"",
      "{",
      "%",
      "%22",
      "%ff",
      "é",
      "\ud800",
      "__proto__",
      id
    ]
    let state = 7
    const below = (limit: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor(state / 2 ** 32 * limit)
    }
    const text = (): string => Array.from({ length: below(12) }, () => pieces[below(pieces.length)]).join("")
    for (let i = 0; i < runs; i++) {
      const { entries, errors } = Propagation.decode(Request, { "x-request-id": text(), baggage: text() })
      if (Object.keys(entries).length + errors.length > 4) {
        throw new Error("a key came twice")
      }
    }
  })
})

describe("what is refused, in Effect code", () => {
  const bad = { "x-request-id": "s3cret value", baggage: "tenant=acme" }
  it.effect("is dropped by default", () =>
    Effect.map(Propagation.extract(Request, bad), (got) => expect(got).toEqual({ tenant: "acme" })))
  it.effect("is counted, with a debug line without the value", () => {
    class Counted extends ContextSchema.Tag<Counted>("test/reach/Counted")({
      id: Schema.UUID.pipe(ContextSchema.key({ header: "x-request-id" }))
    }) {}
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      lines.push(`${logLevel.label} ${String(message)}`)
    })
    return Effect.gen(function*() {
      yield* Propagation.extract(Counted, bad)
      yield* Propagation.extract(Counted, bad, { invalid: "drop" })
      const counter = Metric.counter("aiocontext_inbound_dropped", { incremental: true }).pipe(
        Metric.tagged("context", Counted.key),
        Metric.tagged("key", "id"),
        Metric.tagged("reason", "schema")
      )
      expect((yield* Metric.value(counter)).count).toBe(2)
      expect(lines).toHaveLength(2)
      expect(lines[0]).toBe(
        "DEBUG The context \"test/reach/Counted\" refused what came in for its key \"id\": it is not what the key's schema" +
          " says. Send another value, or receive with { invalid: \"drop\" }."
      )
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)), Logger.withMinimumLogLevel(LogLevel.Debug))
  })
  it.effect("fails, where it is rejected, with an error that has no value", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Propagation.extract(Request, bad, { invalid: "reject" }))
      expect(error).toEqual(new InboundError({ context: Request.key, key: "id", reason: "schema" }))
      expect(`${error} ${error.stack} ${JSON.stringify(error)}`).not.toContain("s3cret")
      expect(yield* Schema.decode(InboundError)(yield* Schema.encode(InboundError)(error))).toEqual(error)
    }))
})

describe("restore", () => {
  const seed = (got: Partial<{ readonly id: string; readonly tenant: string }>) => ({
    id: otherId,
    tenant: "none",
    ...got
  })
  it.effect("attaches the context, with what came in over the seed's own values", () =>
    Effect.gen(function*() {
      const read = Effect.all([Request.get("id"), Request.get("tenant"), Request.get("locale")])
      expect(yield* Propagation.restore(Request, carrier, seed)(read)).toEqual([id, entries.tenant, "de"])
      expect(yield* Propagation.restore(Request, {}, seed)(read)).toEqual([otherId, "none", "en"])
      expect(yield* Propagation.restore(Request, carrier, seed, { trust: "public" })(read)).toEqual([id, "none", "de"])
      expect(
        yield* Propagation.restore(Request, { "x-request-id": "no uuid" }, (got) => Effect.sync(() => seed(got)))(read)
      ).toEqual([otherId, "none", "en"])
    }))
  it.effect("fails where input is rejected", () =>
    Effect.gen(function*() {
      const effect = Propagation.restore(Request, { "x-request-id": "no uuid" }, seed, { invalid: "reject" })(
        Effect.void
      )
      expect(yield* Effect.flip(effect)).toBeInstanceOf(InboundError)
    }))
})

describe("environment variables", () => {
  it("have the names of the carrier, in upper case", () => {
    expect(Propagation.toEnv(carrier)).toEqual({ X_REQUEST_ID: id, BAGGAGE: carrier.baggage })
  })
  it("are read back, and no others", () => {
    const env = { ...process.env, ...Propagation.toEnv(carrier), X_OTHER: "1" }
    expect(Propagation.fromEnv(Request, env)).toEqual(carrier)
    expect(Propagation.fromEnv(Request, { PATH: "/" })).toEqual({})
  })
})
