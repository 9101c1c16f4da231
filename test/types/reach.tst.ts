import { compat } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import type { Layer, Option } from "effect"
import type { Redacted } from "effect"
import { Effect, Schema } from "effect"
import { describe, expect, it } from "tstyche"

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
