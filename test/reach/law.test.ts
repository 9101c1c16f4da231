/**
 * The law of the codec, for every kind of field: what is encoded decodes to the same value; what cannot be carried is
 * left out, never cut.
 */
import { describe, expect, it } from "@effect/vitest"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as Propagation from "aiocontext/Propagation"
import { Arbitrary, Equal, FastCheck, Option, Schema } from "effect"

class Point extends Schema.Class<Point>("Point")({ x: Schema.JsonNumber, at: Schema.Date }) {}

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend(() => Tree)).pipe(Schema.maxItems(2))
})

enum Text {
  A = "a",
  B = "b"
}
enum Numeric {
  A,
  B
}

/** The kinds of fields, and whether all their values can be carried as baggage. */
const kinds: Record<string, readonly [ContextSchema.Field, "all" | "some" | "none"]> = {
  "a text": [Schema.String, "all"],
  "a text without surrogates alone": [Schema.String.pipe(Schema.pattern(/^[a-z é😀%,;="\\]*$/u)), "all"],
  "a UUID": [Schema.UUID, "all"],
  "a trimmed text": [Schema.Trim, "all"],
  "a literal": [Schema.Literal("a", "b c"), "all"],
  "a literal that is no text": [Schema.Literal("a", 1, true, null), "all"],
  "a template": [Schema.TemplateLiteral("v", Schema.Number), "all"],
  "an enum of texts": [Schema.Enums(Text), "all"],
  "an enum of numbers": [Schema.Enums(Numeric), "all"],
  "a brand": [Schema.Int.pipe(Schema.brand("Int")), "all"],
  "a boolean": [Schema.Boolean, "all"],
  "a boolean in a text": [Schema.BooleanFromString, "all"],
  "an integer": [Schema.Int, "all"],
  "a number": [Schema.Number, "some"],
  "a number in a text": [Schema.NumberFromString, "some"],
  "a bigint in a text": [Schema.BigInt, "all"],
  "a bigint": [Schema.BigIntFromSelf, "none"],
  "a symbol in a text": [Schema.Symbol, "all"],
  "a decimal": [Schema.BigDecimal, "all"],
  "a date": [Schema.Date, "all"],
  "a date that is an object": [Schema.DateFromSelf, "none"],
  "a time in UTC": [Schema.DateTimeUtc, "all"],
  "a zoned time": [Schema.DateTimeZoned, "some"],
  "a duration": [Schema.Duration, "all"],
  "a URL": [Schema.URL, "all"],
  "bytes": [Schema.Uint8ArrayFromBase64.pipe(Schema.filter((bytes) => bytes.length < 50)), "all"],
  "bytes that are an object": [Schema.Uint8ArrayFromSelf, "none"],
  "an array": [Schema.Array(Schema.NonNegativeInt).pipe(Schema.maxItems(5)), "all"],
  "a tuple": [Schema.Tuple(Schema.Boolean, Schema.optionalElement(Schema.Int)), "all"],
  "a struct": [Schema.Struct({ a: Schema.Int, b: Schema.optionalWith(Schema.Boolean, { exact: true }) }), "all"],
  "a struct with optional undefined": [Schema.Struct({ a: Schema.optional(Schema.Int) }), "some"],
  "a struct with a default": [
    Schema.Struct({ a: Schema.optionalWith(Schema.Int, { default: () => 1 }), b: Schema.Option(Schema.Int) }),
    "all"
  ],
  "a struct with dates and numbers": [Schema.Struct({ a: Schema.Date, b: Schema.Array(Schema.Number) }), "some"],
  "a record": [Schema.Record({ key: Schema.String, value: Schema.String }), "all"],
  "a record of records": [
    Schema.Record({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Int }) }),
    "some"
  ],
  "a class": [Point, "all"],
  "a recursive schema": [Tree, "all"],
  "a union": [Schema.Union(Schema.Int, Schema.String, Schema.Boolean), "all"],
  "a union of texts": [Schema.Union(Schema.Literal("a"), Schema.UUID), "all"],
  "a union whose members look alike": [Schema.Union(Schema.String, Schema.NumberFromString), "some"],
  "null or a text": [Schema.NullOr(Schema.UUID), "all"],
  "undefined or a text": [Schema.UndefinedOr(Schema.UUID), "some"],
  "an Option": [Schema.Option(Schema.Int), "all"],
  "an Either": [Schema.Either({ left: Schema.Int, right: Schema.Boolean }), "all"],
  "a chunk": [Schema.Chunk(Schema.Int), "all"],
  "a list": [Schema.List(Schema.Int), "all"],
  "a set": [Schema.ReadonlySet(Schema.Int), "all"],
  "a map": [Schema.ReadonlyMap({ key: Schema.UUID, value: Schema.Int }), "all"],
  "a hash map": [Schema.HashMap({ key: Schema.Literal("a", "b"), value: Schema.Int }), "all"],
  "anything": [Schema.Unknown, "some"],
  "an object": [Schema.Object, "some"],
  "nothing at all": [Schema.Undefined, "none"],
  "an optional text": [Schema.optional(Schema.UUID), "some"],
  "an optional number": [Schema.optional(Schema.Int), "some"],
  "an exact optional text": [Schema.optionalWith(Schema.UUID, { exact: true }), "some"],
  "a text with a default": [Schema.optionalWith(Schema.UUID, { default: () => "" }), "all"],
  "a nullable text with a default": [Schema.optionalWith(Schema.UUID, { default: () => "", nullable: true }), "all"],
  "a nullable optional text": [Schema.optionalWith(Schema.UUID, { nullable: true }), "some"],
  "a null that is a value, in a nullable": [
    Schema.optionalWith(Schema.NullOr(Schema.Int), { nullable: true, exact: true }),
    "some"
  ],
  "an optional Option": [Schema.optionalWith(Schema.UUID, { as: "Option" }), "some"],
  "an optional Option of a number": [Schema.optionalWith(Schema.Int, { as: "Option", exact: true }), "some"],
  "an Option that none is encoded in": [
    Schema.optionalWith(Schema.UUID, { as: "Option", nullable: true, onNoneEncoding: () => Option.some(null) }),
    "some"
  ],
  "a signature with a constructor's default": [
    Schema.UUID.pipe(Schema.propertySignature, Schema.withConstructorDefault(() => "")),
    "all"
  ],
  "a signature with another name": [Schema.propertySignature(Schema.Int).pipe(Schema.fromKey("other")), "all"],
  "a signature that changes the text": [
    Schema.optionalToRequired(Schema.String, Schema.String, {
      decode: Option.match({ onNone: () => "", onSome: (text) => text.toUpperCase() }),
      encode: Option.some
    }),
    "some"
  ],
  "a schema that fails": [
    Schema.transform(Schema.String, Schema.String, {
      decode: (text) => text,
      encode: (): string => {
        throw new Error("no")
      }
    }),
    "none"
  ],
  "a schema that loses": [
    Schema.transform(Schema.String, Schema.Int, { decode: (text) => text.length, encode: () => "x" }),
    "some"
  ]
}

for (const [kind, [field, carried]] of Object.entries(kinds)) {
  describe(kind, () => {
    class Header extends ContextSchema.Tag<Header>("test/reach/law")({
      a: ContextSchema.key<any>({ header: "x-a", maxBytes: 8192 })(field)
    }) {}
    class Baggage extends ContextSchema.Tag<Baggage>("test/reach/law")({
      a: ContextSchema.key<any>({ baggage: "a", maxBytes: 8190 })(field)
    }) {}
    const schema: Schema.Schema<any, any> = Schema.Struct({ a: field })
    const isSame = Schema.equivalence(schema)

    it("decodes to the same value or is left out", () => {
      let sent = 0
      let all = 0
      FastCheck.assert(
        FastCheck.property(Arbitrary.make(schema), ({ a }) => {
          const carriers = [Header, Baggage].map((tag) => Propagation.encode(tag, { a }))
          const decoded = [Header, Baggage].map((tag, i) => Propagation.decode(tag, carriers[i]!))
          for (const [i, { entries, errors }] of decoded.entries()) {
            expect(errors).toEqual([])
            expect(Object.keys(entries)).toEqual(Object.keys(carriers[i]!).map(() => "a"))
          }
          for (const value of decoded.flatMap(({ entries }) => Object.values(entries))) {
            // `equivalence` compares what it knows nothing of by reference
            if (!isSame({ a }, { a: value }) && !Equal.equals(a, value)) {
              expect(value).toStrictEqual(a)
            }
          }
          all++
          sent += "baggage" in carriers[1]! ? 1 : 0
        }),
        { seed: 1, numRuns: 300 }
      )
      expect(sent === all ? "all" : sent === 0 ? "none" : "some").toBe(carried)
    })
  })
}

describe("what a text cannot be", () => {
  class Texts extends ContextSchema.Tag<Texts>("test/reach/texts")({
    header: Schema.String.pipe(ContextSchema.key({ header: "x-text" })),
    text: Schema.String.pipe(ContextSchema.key({ baggage: "text" })),
    json: Schema.Array(Schema.String).pipe(ContextSchema.key({ baggage: "json" })),
    record: Schema.Record({ key: Schema.String, value: Schema.String }).pipe(ContextSchema.key({ baggage: "record" }))
  }) {}
  const carried = (entries: Record<string, unknown>): unknown =>
    Propagation.decode(Texts, Propagation.encode(Texts, entries)).entries

  it("a lone surrogate is left out as a text, and carried in JSON", () => {
    expect(carried({ text: "a\ud800", header: "\udc00", json: ["\ud800"] })).toEqual({ json: ["\ud800"] })
  })
  it("any code units but lone surrogates are carried as baggage", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        expect(carried({ text, json: [text] })).toEqual({ text, json: [text] })
      }),
      { seed: 1, numRuns: 1000 }
    )
  })
  it("visible ASCII is carried in a header, blanks between included, and all else is left out", () => {
    expect(carried({ header: "a b~!" })).toEqual({ header: "a b~!" })
    expect(carried({ header: "" })).toEqual({ header: "" })
    for (const header of [" a", "a ", "a\tb", "a\r\nb", "é", "\u007f"]) {
      expect(carried({ header })).toEqual({})
    }
  })
  it("a record with the key __proto__ is left out", () => {
    expect(carried({ record: { ["__proto__"]: "a" } })).toEqual({})
    expect(carried({ record: { constructor: "a" } })).toEqual({ record: { constructor: "a" } })
  })
  it("what its type forbids is left out, never an error", () => {
    const cycle: Array<unknown> = []
    cycle.push(cycle)
    for (
      const wrong of [1, null, Symbol(), () => {}, 1n, cycle, new Date(Number.NaN), Object.create(null), [undefined]]
    ) {
      expect(carried({ header: wrong, text: wrong, json: wrong })).toEqual({})
    }
  })
  it("what a header has no room for is left out whole", () => {
    class Large extends ContextSchema.Tag<Large>("test/reach/large")({
      a: Schema.String.pipe(ContextSchema.key({ baggage: "a", maxBytes: 8192 })),
      b: Schema.String.pipe(ContextSchema.key({ baggage: "b", maxBytes: 8192 })),
      c: Schema.String.pipe(ContextSchema.key({ baggage: "c" }))
    }) {}
    const long = "x".repeat(5000)
    expect(Propagation.decode(Large, Propagation.encode(Large, { a: long, b: long, c: "1" })).entries).toEqual({
      a: long,
      c: "1"
    })
  })
})
