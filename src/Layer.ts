/**
 * Layers that attach a context and seed it, and layers that carry its entries into logs and traces.
 *
 * A layer's fiber is joined by whoever builds it, so the seed reaches the region in every way that a layer can be
 * provided: merged, memoized, in a runtime. What the region writes stays in the region; closing the layer, in whatever
 * fiber, has nothing to restore.
 */
import type * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as EffectLayer from "effect/Layer"
import { Ctx } from "./Context.js"
import type * as Context from "./Context.js"
import * as engine from "./internal/engine.js"
import * as specs from "./internal/spec.js"
import { hooks } from "./internal/task.js"

/**
 * Attaches a context with these entries. The same as `Ctx.layer(entries)`.
 */
export const succeed = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>,
  entries: NoInfer<Shape>
): EffectLayer.Layer<Self> => tag.layer(entries)

/**
 * Attaches a context with the entries that an effect gives.
 */
export const effect = <Self, Id extends string, Shape, E, R>(
  tag: Context.TagClass<Self, Id, Shape>,
  entries: Effect.Effect<NoInfer<Shape>, E, R>
): EffectLayer.Layer<Self, E, R> =>
  specs.layer(
    tag,
    specs.specOf(tag),
    Effect.map(entries, (entries) => specs.fromObject("Layer.effect", entries as object)),
    tag
  )

/**
 * Attaches a context with the entries that a config gives; fails with the config's error.
 */
export const config = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>,
  entries: Config.Config<NoInfer<Shape>>
): EffectLayer.Layer<Self, ConfigError.ConfigError> => effect(tag, entries)

/**
 * Every log line of the region carries the context's entries as they are at that line: all, or those of `keys`.
 *
 * The context may be attached outside of it or inside (a server attaches it per request, say), but not beside it in one
 * `Layer.mergeAll`: there neither sees the other's start. Costs one update of the log annotations a write. Under `share`
 * and `chain` a line has what its own fiber wrote or saw at its own last write.
 */
export const logAnnotations = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>,
  keys?: ReadonlyArray<Context.Key<Shape>>
): EffectLayer.Layer<never> => engine.mirrorLayer({ ref: tag.ref, key: tag.key, keys, into: "logs" })

/**
 * Every span that starts in the region carries the context's entries as they are when it starts: all, or those of
 * `keys`. As {@link logAnnotations}.
 */
export const spanAttributes = <Self, Id extends string, Shape>(
  tag: Context.TagClass<Self, Id, Shape>,
  keys?: ReadonlyArray<Context.Key<Shape>>
): EffectLayer.Layer<never> => engine.mirrorLayer({ ref: tag.ref, key: tag.key, keys, into: "spans" })

/**
 * The ready-made context, attached empty, with the bridge to promise code: all that a program needs to begin.
 */
export const ContextLayer: EffectLayer.Layer<Ctx> = /* @__PURE__ */ EffectLayer.provideMerge(
  /* @__PURE__ */ Ctx.layer({}),
  /* @__PURE__ */ engine.bridgeLayer(hooks)
)
