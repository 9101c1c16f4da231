/**
 * Layers that attach a context and seed it, and layers that carry its entries into logs and traces.
 *
 * A layer's fiber is joined by whoever builds it, so the seed reaches the region in every way that a layer can be
 * provided: merged, memoized, in a runtime. What the region writes stays in the region; closing the layer, in whatever
 * fiber, has nothing to restore.
 *
 * @since 1.0.0
 * @module
 */
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as EffectLayer from "effect/Layer"
import { Ctx } from "./Context.js"
import type * as Context from "./Context.js"
import { fromInput } from "./internal/map/entries.js"
import { annotationLayer } from "./internal/region/annotations.js"
import { specOf, type Tagged } from "./internal/region/context.js"
import { lateLayer, provideLayer } from "./internal/region/provide.js"
import { bridgeLayer, withStarterContext } from "./internal/task/layer.js"

/**
 * Attaches a context with these entries. The same as `Ctx.layer(entries)`.
 *
 * @since 1.0.0
 * @category layers
 */
export const succeed = <Self, Id extends string, Shape, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  entries: NoInfer<Seed>
): EffectLayer.Layer<Self> => {
  specOf("Layer.succeed", tag)
  return tag.layer(entries)
}

/**
 * Attaches a context with the entries that an effect gives. Fails as the effect does.
 *
 * @example
 * ```ts
 * import { Context } from "aiocontext"
 * import * as ContextLayers from "aiocontext/Layer"
 * import { Effect } from "effect"
 *
 * class Request extends Context.Tag("app/Request")<Request, { readonly request_id: string }>() {}
 *
 * let requests = 0
 * const layer = ContextLayers.effect(Request, Effect.sync(() => ({ request_id: `r-${++requests}` })))
 *
 * console.log(await Effect.runPromise(Effect.provide(Request.get("request_id"), layer))) // => r-1
 * console.log(await Effect.runPromise(Effect.provide(Request.get("request_id"), layer))) // => r-2
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const effect = <Self, Id extends string, Shape, A extends Seed, E, R, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  entries: Effect.Effect<A, E, R>
): EffectLayer.Layer<Self, E, R> => {
  const spec = specOf("Layer.effect", tag)
  return provideLayer(
    tag,
    { spec, tag },
    Effect.map(entries, (entries) => fromInput("Layer.effect", entries, spec.definition.seed))
  )
}

/**
 * Attaches a context with the entries that a config gives; fails with the config's error.
 *
 * @example
 * ```ts
 * import { Context } from "aiocontext"
 * import * as ContextLayers from "aiocontext/Layer"
 * import { Config, ConfigProvider, Effect, Layer } from "effect"
 *
 * class Deployment extends Context.Tag("app/Deployment")<Deployment, { readonly region: string }>() {}
 *
 * const layer = ContextLayers.config(Deployment, Config.all({ region: Config.string("REGION") }))
 * const provider = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["REGION", "eu"]])))
 *
 * const program = Effect.provide(Deployment.get("region"), Layer.provide(layer, provider))
 * console.log(await Effect.runPromise(program)) // => eu
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const config = <Self, Id extends string, Shape, A extends Seed, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  entries: Config.Config<A>
): EffectLayer.Layer<Self, ConfigError.ConfigError> => effect(tag, entries)

/**
 * The context's service with no map at all, for handlers that are collected when a layer is built: those of workers,
 * workflows and entities. Each message attaches the context (`aiocontext/propagation/*` does it, or `Propagation.restore`, or
 * `Tag.provide`), and a handler reads the map of its message, never that of whoever built the layer.
 *
 * Outside of a message, where the fiber has no map of its own, reading is a defect that says so. A service of `Tag.of` that
 * is provided outside of this one is out of sight.
 *
 * @example
 * ```ts
 * import { Context as Contexts } from "aiocontext"
 * import * as ContextLayers from "aiocontext/Layer"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Request extends Contexts.Tag("app/Request")<Request, { readonly request_id: string }>() {}
 *
 * class Handler extends Context.Tag("app/Handler")<Handler, Effect.Effect<string>>() {}
 *
 * // collected once, with the services that are there when the layer is built
 * const live = Layer.effect(
 *   Handler,
 *   Effect.map(Effect.context<Request>(), (services) => Effect.provide(Request.get("request_id"), services))
 * ).pipe(Layer.provide(ContextLayers.late(Request)))
 *
 * const onMessage = (request_id: string) => Effect.flatten(Handler).pipe(Request.provide({ request_id }))
 * const program = Effect.all([onMessage("r-1"), onMessage("r-2")])
 * console.log(await Effect.runPromise(Effect.provide(program, live))) // => [ 'r-1', 'r-2' ]
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const late = <Self, Id extends string, Shape, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>
): EffectLayer.Layer<Self> => lateLayer(tag, specOf("Layer.late", tag))

/**
 * Every log line of the region carries the context's entries as they are at that line: all, or those of `keys`. Of a
 * `ContextSchema` it is the keys whose policy says `log`, or those of `keys`, under the policy's name where it has one; a
 * secret is never among them.
 *
 * The context may be attached outside of it or inside (a server attaches it per request, say), but not beside it in one
 * `Layer.mergeAll`: there neither sees the other's start. Costs one update of the log annotations a write. Under `share`
 * and `chain` a line has what its own fiber wrote or saw at its own last write. What is set inside `Effect.annotateLogs` is
 * on the lines of that region, and on those after it from the next write on: Effect ends the region with the annotations
 * that it began with.
 *
 * @example
 * ```ts
 * import { Context } from "aiocontext"
 * import * as ContextLayers from "aiocontext/Layer"
 * import { Effect, Logger } from "effect"
 *
 * class Request extends Context.Tag("app/Request")<Request, {
 *   readonly request_id: string
 *   readonly user?: string
 * }>() {}
 *
 * const handler = Effect.gen(function*() {
 *   yield* Effect.log("in")
 *   yield* Request.set("user", "ann")
 *   yield* Effect.log("out")
 * }).pipe(Request.provide({ request_id: "r-1" }))
 *
 * const logs = [ContextLayers.logAnnotations(Request), Logger.logFmt] as const
 * await Effect.runPromise(handler.pipe(Effect.provide(logs)))
 * // => … message=in request_id=r-1
 * // => … message=out request_id=r-1 user=ann
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const logAnnotations = <Self, Id extends string, Shape, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  keys?: ReadonlyArray<Context.Key<Shape>>
): EffectLayer.Layer<never> => annotating("logAnnotations", tag, { where: "log", keys })

/**
 * Every span that starts in the region carries the context's entries as they are when it starts: all, or those of
 * `keys`. Of a `ContextSchema` it is the keys whose policy says `span`. Where it may stand and what it costs is as with
 * {@link logAnnotations}.
 *
 * @since 1.0.0
 * @category layers
 */
export const spanAttributes = <Self, Id extends string, Shape, Seed = Shape>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  keys?: ReadonlyArray<Context.Key<Shape>>
): EffectLayer.Layer<never> => annotating("spanAttributes", tag, { where: "span", keys })

const annotating = (operation: string, tag: Tagged, { keys, where }: {
  readonly where: "log" | "span"
  readonly keys: ReadonlyArray<string> | undefined
}): EffectLayer.Layer<never> => {
  const { definition: { key, shown }, ref } = specOf(`Layer.${operation}`, tag)
  return annotationLayer({
    ref,
    key,
    keys: shown === undefined ? keys?.map((key) => ({ key, name: key })) : shown(where, keys),
    into: where === "log" ? "logs" : "spans"
  })
}

/**
 * The ready-made context, attached empty, with the bridge to promise code: all that a program needs to begin.
 *
 * @example
 * ```ts
 * import { context, ContextLayer, Ctx } from "aiocontext"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Ctx.set("user", "ann")
 *   yield* Effect.promise(async () => context.set("user", `${context.get("user")} and bob`))
 *   return yield* Ctx.get("user")
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, ContextLayer))) // => ann and bob
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const ContextLayer: EffectLayer.Layer<Ctx> = /* @__PURE__ */ withStarterContext(
  /* @__PURE__ */ EffectLayer.provideMerge(/* @__PURE__ */ Ctx.layer({}), bridgeLayer)
)
