import { describe, expect, it } from "@effect/vitest"
import { Context, context, ContextLayer, Ctx } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Config, ConfigProvider, Effect, Layer } from "effect"
import { plain, sleep } from "../support.js"

class Request extends Context.Tag("test/region/layer/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

describe("seeding layers", () => {
  it.effect("succeed", () =>
    Effect.map(Request.data, (data) => expect(plain(data)).toEqual({ id: "a" })).pipe(
      Effect.provide(ContextLayers.succeed(Request, { id: "a" }))
    ))

  it.effect("effect, with the effect's error", () =>
    Effect.gen(function*() {
      const seed = ContextLayers.effect(Request, Effect.succeed({ id: "a", user: "ann" }))
      expect(plain(yield* Effect.provide(Request.data, seed))).toEqual({ id: "a", user: "ann" })
      const failing = ContextLayers.effect(Request, Effect.fail("no" as const))
      expect(yield* Effect.flip(Effect.provide(Request.data, failing))).toBe("no")
    }))

  it.effect("config, with the config's error", () =>
    Effect.gen(function*() {
      const seed = ContextLayers.config(Request, Config.all({ id: Config.string("ID"), user: Config.string("USER") }))
      const provider = (entries: ReadonlyArray<readonly [string, string]>) =>
        Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))
      const read = Effect.provide(Request.data, seed)
      expect(plain(yield* Effect.provide(read, provider([["ID", "a"], ["USER", "ann"]])))).toEqual({
        id: "a",
        user: "ann"
      })
      expect(yield* Effect.flip(Effect.provide(read, provider([])))).toMatchObject({ _op: "And" })
    }))

  it.live("ContextLayer attaches the ready-made context, empty, with the bridge", () =>
    Effect.gen(function*() {
      expect(yield* Ctx.size).toBe(0)
      yield* Ctx.set("a", 1)
      expect(yield* Effect.promise(() => sleep(1).then(() => context.get("a")))).toBe(1)
    }).pipe(Effect.provide(ContextLayer)))
})
