import { describe, expect, it } from "@effect/vitest"
import { compat, Context, DefinitionError, ForkError } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import * as ContextLayers from "aiocontext/Layer"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, HashMap, Schema } from "effect"
import { forkKeys, joinKeys } from "../../src/internal/policy/family.js"
import { PlanId } from "../../src/internal/policy/plan.js"
import { policyOf } from "../../src/internal/policy/policy.js"
import { plain } from "../support.js"
import { id, Request } from "./request.js"

const seed = { id, tenant: "acme" }

describe("a context of a schema", () => {
  it.effect("is a context like any other", () =>
    Effect.gen(function*() {
      yield* Request.set("tenant", "other")
      yield* Request.update("retries", (retries) => retries + 1)
      expect(yield* Request.get("tenant")).toBe("other")
      expect(yield* Request.has("roles")).toBe(false)
      expect(plain(yield* Request.data)).toEqual({ id, tenant: "other", locale: "en", retries: 1 })
      expect(yield* Effect.map(Context.attached, (all) => all.map(({ key }) => key))).toEqual([Request.key])
    }).pipe(Request.provide(seed)))
  it.effect("a seed may leave out what has a default, and reads never miss it", () =>
    Effect.gen(function*() {
      expect(yield* Request.get("locale")).toBe("en")
      expect(yield* Request.get("retries")).toBe(0)
    }).pipe(Effect.provide(Request.layer(seed))))
  it.effect("a seed's own value stands before the default", () =>
    Effect.map(Request.get("locale"), (locale) => expect(locale).toBe("de")).pipe(
      Request.provide({ ...seed, locale: "de" })
    ))
  it.effect("Layer.succeed seeds it with its defaults", () =>
    Effect.map(Request.get("locale"), (locale) => expect(locale).toBe("en")).pipe(
      Effect.provide(ContextLayers.succeed(Request, seed))
    ))
  it.effect("Layer.effect and Layer.config seed it with its defaults", () => {
    const read = Effect.zip(Request.get("locale"), Request.get("tenant"))
    return Effect.gen(function*() {
      expect(yield* Effect.provide(read, ContextLayers.effect(Request, Effect.succeed(seed)))).toEqual(["en", "acme"])
      const config = ContextLayers.config(Request, Config.map(Config.string("TENANT"), (tenant) => ({ id, tenant })))
      expect(yield* Effect.provide(read, config)).toEqual(["en", "acme"])
    }).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["TENANT", "acme"]]))))
  })
  it.effect("a seed may be a HashMap, as with any context", () =>
    Effect.map(Request.get("locale"), (locale) => expect(locale).toBe("en")).pipe(
      Request.provide(HashMap.fromIterable(Object.entries(seed)) as never)
    ))
  it("a service that is not found is said to be defined in the line that defines its class", () => {
    expect(() => Effect.runSync(Request as unknown as Effect.Effect<unknown>)).toThrow(
      /Service not found: test\/reach\/Request \(defined at .*request\.ts:\d+/
    )
  })
  it.effect("is seeded with its defaults as a service, and by provide with the effect first", () =>
    Effect.gen(function*() {
      const locale = Request.get("locale")
      expect(yield* Effect.provideService(locale, Request, Request.of(seed))).toBe("en")
      expect(yield* Request.provide(locale, seed)).toBe("en")
      expect(Request.of(Request.of(seed))).toBeDefined()
    }))
  it.effect("validates nothing in the process: the types did it", () =>
    Effect.map(Request.get("id"), (id) => expect(id).toBe("no uuid")).pipe(
      Request.provide({ ...seed, id: "no uuid" })
    ))
  it.effect("clear leaves what must be there, and what has a default", () =>
    Effect.gen(function*() {
      yield* Request.set("roles", ["a"])
      yield* Request.clear
      expect(plain(yield* Request.data)).toEqual({ ...seed, locale: "en", retries: 0 })
    }).pipe(Request.provide({ ...seed, roles: ["seeded"] })))
  it("has its schema", () => {
    expect(Object.keys(Request.schema.fields)).toEqual(["id", "tenant", "locale", "roles", "retries", "token"])
    expect(Schema.is(Request.schema)({ ...seed, locale: "en", retries: 0 })).toBe(true)
  })
  it("has an imperative map", () => {
    const request = compat.make(Request)
    request.run({ ...seed, locale: "de" }, () => {
      expect(request.toObject()).toEqual({ ...seed, locale: "de", retries: 0 })
    })
  })
})

describe("a policy is found", () => {
  const log = (name: string) => <S extends Schema.Schema.All | Schema.PropertySignature.All>(self: S): S =>
    ContextSchema.key<S>({ log: name })(self)
  const fields: Record<string, ContextSchema.Field> = {
    "on a schema": Schema.String.pipe(log("it")),
    "on a transformation": Schema.NumberFromString.pipe(log("it")),
    "on a class": class A extends Schema.Class<A>("A")({ a: Schema.String }) {}.pipe(log("it")),
    "under filters": Schema.String.pipe(log("it"), Schema.maxLength(3), Schema.minLength(1)),
    "in optional": Schema.optional(Schema.String.pipe(log("it"))),
    "in optional, under a filter": Schema.optional(Schema.String.pipe(log("it"), Schema.maxLength(3))),
    "in optionalWith exact": Schema.optionalWith(Schema.String.pipe(log("it")), { exact: true }),
    "in optionalWith default": Schema.optionalWith(Schema.String.pipe(log("it")), { default: () => "" }),
    "in optionalWith nullable": Schema.optionalWith(Schema.String.pipe(log("it")), { nullable: true }),
    "in optionalWith Option": Schema.optionalWith(Schema.String.pipe(log("it")), { as: "Option" }),
    "in a signature with a constructor's default": Schema.String.pipe(
      log("it"),
      Schema.propertySignature,
      Schema.withConstructorDefault(() => "")
    ),
    "in a signature with a key of its own": Schema.propertySignature(Schema.String.pipe(log("it"))).pipe(
      Schema.fromKey("other")
    ),
    "on a property signature": Schema.propertySignature(Schema.String).pipe(log("it")),
    "on optional": Schema.optional(Schema.String).pipe(log("it")),
    "on optionalWith": Schema.optionalWith(Schema.String, { default: () => "" }).pipe(log("it")),
    "the outermost of two": Schema.String.pipe(log("inner"), Schema.maxLength(3), log("it")),
    "the outermost of two, on the signature": Schema.optional(Schema.String.pipe(log("inner"))).pipe(log("it"))
  }
  for (const [where, field] of Object.entries(fields)) {
    it(where, () => {
      expect(policyOf(field)).toEqual({ log: "it" })
    })
  }
  it("and is none where there is none", () => {
    expect(policyOf(Schema.String)).toEqual({})
    expect(policyOf(Schema.optional(Schema.String))).toEqual({})
  })
})

describe("a definition is refused", () => {
  const refused = (fields: ContextSchema.Fields, options?: Context.Options<never>): DefinitionError => {
    try {
      ContextSchema.Tag("test/reach/refused")(fields, options)
    } catch (error) {
      expect(error).toBeInstanceOf(DefinitionError)
      return error as DefinitionError
    }
    throw new Error("it is not refused")
  }
  const text = (policy: ContextSchema.Policy<string>) => ({ a: Schema.String.pipe(ContextSchema.key(policy)) })

  const reserved = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "baggage",
    "host",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-type",
    "expect",
    "cookie",
    "set-cookie",
    "authorization"
  ]
  for (const header of reserved) {
    it(`for the header ${header}`, () => {
      expect(refused(text({ header }))).toMatchObject({ context: "test/reach/refused", key: "a" })
    })
  }
  for (const header of ["X-Id", "x_id", "", "x id", "x:id", "é", "x\r\nid"]) {
    it(`for the header ${JSON.stringify(header)}`, () => {
      expect(refused(text({ header })).message).toContain(`Write it as "x-request-id"`)
    })
  }
  for (const baggage of ["", "a b", "a,b", "a=b", "é"]) {
    it(`for the baggage name ${JSON.stringify(baggage)}`, () => {
      expect(refused(text({ baggage })).message).toContain("is no token")
    })
  }
  it("not for a baggage name in any case, or one that a header must not have", () => {
    ContextSchema.Tag("test/reach/allowed")({
      a: Schema.String.pipe(ContextSchema.key({ baggage: "user_Id" })),
      b: Schema.String.pipe(ContextSchema.key({ baggage: "host" }))
    })
  })
  it("for the key __proto__", () => {
    expect(refused({ ["__proto__"]: Schema.String }).key).toBe("__proto__")
  })
  it("for two keys with one wire name", () => {
    for (const policy of [{ header: "x-a" }, { baggage: "a" }]) {
      expect(refused({ ...text(policy), b: text(policy).a })).toMatchObject({ key: "b" })
    }
    ContextSchema.Tag("test/reach/allowed")({ ...text({ header: "a" }), b: text({ baggage: "a" }).a })
  })
  it("for a header and a baggage name on one key", () => {
    expect(refused(text({ header: "a", baggage: "a" })).message).toContain("Keep one of them")
  })
  it("for a secret with a wire name", () => {
    expect(refused(text({ secret: true, header: "x-a" })).message).toContain("Take its wire name away")
    expect(refused(text({ secret: true, baggage: "a", in: "public", out: false })).key).toBe("a")
  })
  it("for a Redacted with a wire name, wherever it is in the schema", () => {
    const secret = Schema.Redacted(Schema.String)
    const list: Schema.Schema<any> = Schema.Struct({
      next: Schema.optional(Schema.suspend(() => list)),
      secret: Schema.optional(secret)
    })
    const fields: ReadonlyArray<Schema.Schema<any, any>> = [
      secret,
      Schema.RedactedFromSelf(Schema.String),
      Schema.Struct({ deep: Schema.Struct({ secret: Schema.optional(secret) }) }),
      Schema.Array(secret),
      Schema.Tuple(Schema.String, secret),
      Schema.Record({ key: Schema.String, value: secret }),
      Schema.Union(Schema.String, secret),
      Schema.Option(secret),
      secret.pipe(Schema.filter(() => true)),
      list
    ]
    for (const field of fields) {
      expect(refused({ a: field.pipe(ContextSchema.key({ baggage: "a" })) }).key).toBe("a")
    }
    expect(refused({ a: Schema.optional(secret).pipe(ContextSchema.key({ header: "x-a" })) }).key).toBe("a")
  })
  it("for fork: drop on a key that must be there", () => {
    expect(refused(text({ fork: "drop" })).message).toContain("Make it optional")
    const policy = ContextSchema.key<any>({ fork: "drop" })
    expect(refused({ a: Schema.optionalWith(Schema.String, { default: () => "" }).pipe(policy) }).key).toBe("a")
    ContextSchema.Tag("test/reach/allowed")({ a: Schema.optional(Schema.String).pipe(policy) })
  })
  it("for a key's fork under share and chain", () => {
    for (const fork of ["share", "chain"] as const) {
      expect(refused(text({ fork: "deepCopy" }), { fork })).toMatchObject({ key: "a" })
    }
  })
  it("with a message that names the context, the key and the cure", () => {
    expect(refused(text({ header: "cookie" })).message).toBe(
      `The context "test/reach/refused", key "a": the header "cookie" is not a context's to set. Take a name of your own,` +
        ` as "x-cookie".`
    )
  })
})

describe("a key's fork", () => {
  const cart = { items: ["pen"] }
  const optional = <S extends Schema.Schema.All>(schema: S) => Schema.optionalWith(schema, { exact: true })
  class Visit extends ContextSchema.Tag<Visit>("test/reach/Visit")({
    user: Schema.String,
    admin: optional(Schema.Boolean.pipe(ContextSchema.key({ fork: "drop" }))),
    cart: optional(Schema.Struct({ items: Schema.Array(Schema.String) }).pipe(ContextSchema.key({ fork: "deepCopy" }))),
    depth: optional(Schema.Number.pipe(ContextSchema.key({ fork: (depth) => depth + 1 }))),
    shared: optional(Schema.Unknown.pipe(ContextSchema.key({ fork: "copy" })))
  }) {}
  const all = { user: "ann", admin: true, cart, depth: 0, shared: cart }

  it.effect("copies, drops, clones or maps the value, in a fiber that never wrote too", () =>
    Effect.gen(function*() {
      const child = yield* Effect.flatMap(Effect.fork(Visit.data), Fiber.join)
      expect(plain(child)).toEqual({ user: "ann", cart, depth: 1, shared: cart })
      expect(HashMap.unsafeGet(child, "cart")).not.toBe(cart)
      expect(HashMap.unsafeGet(child, "shared")).toBe(cart)
      const grandchild = yield* Visit.get("depth").pipe(Effect.fork, Effect.flatMap(Fiber.join), Effect.fork)
      expect(yield* Fiber.join(grandchild)).toBe(2)
      expect(plain(yield* Visit.data)).toEqual(all)
    }).pipe(Visit.provide(all)))
  it.effect("is not asked for a key that is not there", () =>
    Effect.map(
      Effect.flatMap(Effect.fork(Visit.data), Fiber.join),
      (child) => expect(plain(child)).toEqual({ user: "bob" })
    ).pipe(Visit.provide({ user: "bob" })))
  it.effect("comes after that of the context", () => {
    class Both extends ContextSchema.Tag<Both>("test/reach/Both")({
      n: Schema.Number.pipe(ContextSchema.key({ fork: (n) => n * 10 }))
    }, { fork: HashMap.map((n) => Number(n) + 1) }) {}
    return Effect.map(Effect.flatMap(Effect.fork(Both.get("n")), Fiber.join), (n) => expect(n).toBe(20)).pipe(
      Both.provide({ n: 1 })
    )
  })
  it.effect("comes after a deep copy, which names the key that cannot be copied", () => {
    class Deep extends ContextSchema.Tag<Deep>("test/reach/Deep")({
      cart: Schema.Array(Schema.String),
      n: Schema.Number.pipe(ContextSchema.key({ fork: (n) => n + 1 })),
      f: Schema.optionalWith(Schema.Unknown, { exact: true })
    }, { fork: "deepCopy" }) {}
    const cart = ["pen"]
    const child = Effect.flatMap(Effect.fork(Deep.data), Fiber.join)
    return Effect.gen(function*() {
      const entries = yield* Deep.provide(child, { cart, n: 1 })
      expect(plain(entries)).toEqual({ cart, n: 2 })
      expect(HashMap.unsafeGet(entries, "cart")).not.toBe(cart)
      const exit = yield* Effect.exit(Deep.provide(child, { cart, n: 1, f: () => {} }))
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "ForkError", key: "f" })
    })
  })
  it("fails with an error that names the key", () => {
    class Failing extends ContextSchema.Tag<Failing>("test/reach/Failing")({
      a: Schema.Number.pipe(ContextSchema.key({
        fork: () => {
          throw new Error("no")
        }
      })),
      b: Schema.Unknown.pipe(ContextSchema.key({ fork: "deepCopy" }))
    }) {}
    const fork = forkKeys(Failing[PlanId])!
    const failure = (key: string, value: unknown): unknown => {
      try {
        return fork(HashMap.make([key, value]))
      } catch (error) {
        return error
      }
    }
    for (const [key, value] of [["a", 1], ["b", () => {}]] as const) {
      const error = failure(key, value)
      expect(error).toBeInstanceOf(ForkError)
      expect(error).toMatchObject({ context: "test/reach/Failing", key })
    }
  })
  it.effect("that fails, fails the fork", () => {
    class Failing extends ContextSchema.Tag<Failing>("test/reach/FailingFork")({
      b: Schema.Unknown.pipe(ContextSchema.key({ fork: "deepCopy" }))
    }) {}
    return Effect.void.pipe(
      Effect.fork,
      Effect.flatMap(Fiber.join),
      Failing.provide({ b: () => {} }),
      Effect.exit,
      Effect.map((exit) =>
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "ForkError", key: "b" })
      )
    )
  })
  it("is nothing to the core where no key has one", () => {
    class Plain extends ContextSchema.Tag<Plain>("test/reach/Plain")({
      a: Schema.String.pipe(ContextSchema.key({ fork: "copy", log: true }))
    }) {}
    expect(forkKeys(Plain[PlanId])).toBeUndefined()
    expect(joinKeys(Plain[PlanId])).toBeUndefined()
  })
})
