import { compat, Context, ContextLayer, Ctx } from "aiocontext"
import type { KeyNotFoundError, NotAttachedError } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import type { ConfigError, HashMap, Layer, Option } from "effect"
import { Config, Effect } from "effect"
import { describe, expect, it } from "tstyche"

class Request extends Context.Tag("types/Request")<Request, {
  readonly id: string
  readonly user?: string
  readonly visits?: number
}>() {}
class Dict extends Context.Tag("types/Dict")<Dict>() {}
const request = compat.make(Request)
const dict = compat.make(Dict)

describe("a shape's keys", () => {
  it("have their types", () => {
    expect(Request.get("id")).type.toBe<Effect.Effect<string, never, Request>>()
    expect(Request.get("user")).type.toBe<Effect.Effect<string | undefined, never, Request>>()
    expect(Request.get("user", 1)).type.toBe<Effect.Effect<string | number, never, Request>>()
    expect(Request.getOption("visits")).type.toBe<Effect.Effect<Option.Option<number>, never, Request>>()
    expect(Request.getOrFail("user")).type.toBe<Effect.Effect<string, KeyNotFoundError, Request>>()
    expect(Request.peek("user")).type.toBe<Effect.Effect<Option.Option<string>>>()
    expect(request.get("id")).type.toBe<string>()
    expect(request.get("user")).type.toBe<string | undefined>()
    expect(request.get("user", null)).type.toBe<string | null>()
    expect(request.getOrThrow("visits")).type.toBe<number>()
    expect(request.toObject()).type.toBe<{ readonly id: string; readonly user?: string; readonly visits?: number }>()
  })
  it("are the only ones", () => {
    expect(Request.get).type.not.toBeCallableWith("nobody")
    expect(Request.has).type.not.toBeCallableWith("nobody")
    expect(Request.peek).type.not.toBeCallableWith("nobody")
    expect(request.get).type.not.toBeCallableWith("nobody")
    expect(request.peek).type.not.toBeCallableWith("nobody", 1)
    expect(ContextLayers.logAnnotations).type.not.toBeCallableWith(Request, ["nobody"])
  })
  it("take no value of another type", () => {
    expect(Request.set).type.toBeCallableWith("user", "ann")
    expect(Request.set).type.not.toBeCallableWith("user", 1)
    expect(Request.set).type.not.toBeCallableWith("user", undefined)
    expect(Request.merge).type.not.toBeCallableWith({ visits: "one" })
    expect(Request.locally).type.not.toBeCallableWith({ id: 1 })
    expect(Request.update).type.not.toBeCallableWith("visits", () => "one")
    expect(request.set).type.not.toBeCallableWith("visits", "one")
  })
  it("are deleted only where they are optional", () => {
    expect(Request.delete).type.toBeCallableWith("user")
    expect(Request.delete).type.not.toBeCallableWith("id")
    expect(request.delete).type.toBeCallableWith("user")
    expect(request.delete).type.not.toBeCallableWith("id")
  })
  it("are needed where they are required", () => {
    expect(Request.layer).type.not.toBeCallableWith({ user: "ann" })
    expect(Request.provide).type.not.toBeCallableWith({})
    expect(request.run).type.not.toBeCallableWith({ user: "ann" }, () => 1)
    expect(ContextLayers.succeed).type.not.toBeCallableWith(Request, { user: "ann" })
    expect(ContextLayers.effect).type.not.toBeCallableWith(Request, Effect.succeed({ user: "ann" }))
  })
  it("are the keys that clear can be told to keep", () => {
    expect(Context.Tag("types/other")<Request, { readonly id: string; readonly user?: string }>).type.toBeCallableWith(
      { required: ["id"] }
    )
    expect(Context.Tag("types/other")<Request, { readonly id: string; readonly user?: string }>).type.not
      .toBeCallableWith({ required: ["user"] })
  })
})

describe("a dict", () => {
  it("has any key, of unknown values", () => {
    expect(Dict.get("anything")).type.toBe<Effect.Effect<unknown, never, Dict>>()
    expect(Dict.delete).type.toBeCallableWith("anything")
    expect(Dict.layer).type.toBeCallableWith({})
    expect(dict.get("anything", 1)).type.toBe<unknown>()
    expect(Ctx.set).type.toBeCallableWith("anything", Symbol())
  })
})

describe("R", () => {
  it("has the context until it is provided", () => {
    expect(Effect.runPromise).type.not.toBeCallableWith(Ctx.get("a"))
    expect(Effect.runPromise).type.not.toBeCallableWith(Request.set("user", "ann"))
    expect(Effect.runPromise).type.toBeCallableWith(Effect.provide(Ctx.get("a"), ContextLayer))
    expect(Request.get("id").pipe(Request.provide({ id: "a" }))).type.toBe<Effect.Effect<string>>()
    expect(Request.get("id").pipe(Effect.provide(Request.layer({ id: "a" })))).type.toBe<Effect.Effect<string>>()
    expect(Ctx.size.pipe(Request.provide({ id: "a" }))).type.toBe<Effect.Effect<number, never, Ctx>>()
    expect(Effect.void.pipe(Request.locally({ user: "a" }))).type.toBe<Effect.Effect<void, never, Request>>()
    expect(Effect.flatMap(Request.snapshot, (snapshot) => snapshot.run(Request.get("id")))).type.toBe<
      Effect.Effect<string, never, Request>
    >()
  })
  it("is not needed by what may run without a context", () => {
    expect(Context.attached).type.toBe<Effect.Effect<ReadonlyArray<Context.Any>>>()
    expect<ReturnType<typeof Request.dataOf>>().type.toBe<
      Effect.Effect<HashMap.HashMap<string, unknown>, NotAttachedError>
    >()
  })
  it("is what an imperative map's effects may need", () => {
    expect(request.runPromise).type.toBeCallableWith(Request.get("id"))
    expect(request.runPromise).type.not.toBeCallableWith(Ctx.get("id"))
  })
})

describe("layers", () => {
  it("give the context, and fail as their source does", () => {
    expect(Request.layer({ id: "a" })).type.toBe<Layer.Layer<Request>>()
    expect(ContextLayers.effect(Request, Effect.fail("no" as const))).type.toBe<Layer.Layer<Request, "no">>()
    expect(ContextLayers.config(Request, Config.all({ id: Config.string("ID") }))).type.toBe<
      Layer.Layer<Request, ConfigError.ConfigError>
    >()
    expect(ContextLayer).type.toBe<Layer.Layer<Ctx>>()
    expect(compat.layer).type.toBe<Layer.Layer<never>>()
  })
})

describe("child tasks", () => {
  it("give what their code gives", () => {
    expect(compat.fork(async () => 1)).type.toBe<Promise<number>>()
    expect(compat.all([async () => 1, () => "a"])).type.toBe<Promise<[number, string]>>()
    expect(compat.timeout(async () => 1, "1 second")).type.toBe<Promise<number>>()
    expect(compat.bind((a: number, b: string) => a + b)).type.toBe<(a: number, b: string) => string>()
    expect(compat.snapshot()(() => 1)).type.toBe<number>()
    expect(compat.fork).type.not.toBeCallableWith(1)
    expect(compat.timeout).type.not.toBeCallableWith(async () => 1, {})
  })
})
