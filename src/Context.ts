/**
 * Task-local context for Effect fibers: a map that a fiber carries and its children inherit.
 *
 * - **Fork.** A child starts with its parent's map and cannot change its parent's. How it gets the map is the context's
 *   `fork` strategy: see {@link Fork}.
 * - **Join.** With `join: "isolate"` (the default) what a child set ends with it. With `"merge"` it reaches the fiber
 *   that joins the child, key by key. A child that is joined from inside an inner region of the same context hands nothing
 *   on: the outer map is out of reach there.
 * - **Race, timeout, interruption.** The loser's writes are gone with it. The winner is joined.
 * - **Regions.** `provide` and `layer` attach the context: inside there is a map, outside there is none, or the outer
 *   one as it was. However a region ends, nothing of it stays in the fiber.
 * - **Which map.** The one of the fiber that runs, as with a plain `FiberRef`. What a cache, a pool, a service or a captured
 *   `Context` took along from elsewhere never takes its place.
 * - **One fiber is one task.** What sequential code sets is seen after it.
 *
 * The model is that of Python's AioContext, a dict on the running asyncio task; the map is an immutable `HashMap` in a
 * `FiberRef`, so a child's copy costs nothing, as with CPython's `contextvars` (PEP 567).
 *
 * @since 1.0.0
 * @module
 */
import type * as EffectContext from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as HashMap from "effect/HashMap"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { KeyNotFoundError, NotAttachedError } from "./errors.js"
import type { AnyFiber } from "./internal/effect3/fiber.js"
import { syncWithFiber } from "./internal/effect3/fiber.js"
import type { MapRef } from "./internal/effect3/refs.js"
import { attachedTo } from "./internal/region/attached.js"
import type { ContextSpec, SpecId } from "./internal/region/context.js"
import { makeTag } from "./internal/region/tag.js"

// -----------------------------------------------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------------------------------------------

/**
 * A context's map. Keys are strings; `undefined` is a value like any other.
 *
 * @since 1.0.0
 * @category models
 */
export type Entries = HashMap.HashMap<string, unknown>

/**
 * How a child gets its map.
 *
 * - `"copy"`, the default: it starts with its parent's map, and each has its own from then on. O(1).
 * - `"deepCopy"`: it gets values of its own, `structuredClone` of its parent's. O(n). A value that cannot be cloned (a
 *   function, say) fails the child with a `ForkError` that names its key. Instances of your classes come out as plain
 *   objects.
 * - `"chain"`: it reads what it wrote itself, and behind it its parent's *current* values. What it deletes and clears are its
 *   own writes. The fork is O(1), a read O(depth of the nesting), the whole map O(n). As Python's `ChainMap.new_child`.
 * - `"share"`: parent and child are one map, whoever writes, whichever of them ends first. O(1).
 * - A function: given the parent's map, it makes the child's. It runs when the child starts, and fails the child with a
 *   `ForkError` where it throws.
 *
 * @example
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import * as Context from "aiocontext/Context"
 *
 * class Settings extends Context.Tag("app/Settings")<Settings>({ fork: "chain" }) {}
 *
 * const program = Effect.gen(function*() {
 *   const child = yield* Effect.fork(Effect.andThen(Effect.yieldNow(), Settings.get("level")))
 *   yield* Settings.set("level", "debug") // after the fork, and the child sees it
 *   console.log(yield* Fiber.join(child)) // => debug
 * })
 *
 * await Effect.runPromise(program.pipe(Settings.provide({ level: "info" })))
 * ```
 *
 * @since 1.0.0
 * @category models
 */
export type Fork = "copy" | "deepCopy" | "chain" | "share" | ((parent: Entries) => Entries)

/**
 * What a join does with the child's writes: nothing, or bring them to the joining fiber key by key.
 *
 * @since 1.0.0
 * @category models
 */
export type Join = "isolate" | "merge"

/**
 * The shape of a context that has none: any string key, values of any type.
 *
 * @since 1.0.0
 * @category models
 */
export interface Dict {
  readonly [key: string]: unknown
}

/**
 * The keys of a shape.
 *
 * @since 1.0.0
 * @category types
 */
export type Key<Shape> = Extract<keyof Shape, string>

/**
 * The keys that a map of this shape may lack.
 *
 * @since 1.0.0
 * @category types
 */
export type OptionalKey<Shape> = {
  [K in Key<Shape>]: {} extends Pick<Shape, K> ? K : never
}[Key<Shape>]

/**
 * The keys that a map of this shape always has.
 *
 * @since 1.0.0
 * @category types
 */
export type RequiredKey<Shape> = Exclude<Key<Shape>, OptionalKey<Shape>>

/**
 * The value of a key that is there.
 *
 * @since 1.0.0
 * @category types
 */
export type Value<Shape, K extends keyof Shape> = Required<Shape>[K]

/**
 * An entry that is there: a key with a value of that key's.
 *
 * @since 1.0.0
 * @category types
 */
export type Entry<Shape> = { readonly [K in Key<Shape>]-?: readonly [K, Value<Shape, K>] }[Key<Shape>]

/**
 * What a required key is refused with where it is to be deleted: every map of the shape has it.
 *
 * @since 1.0.0
 * @category types
 */
export interface RequiredKeyCannotBeDeleted<K> {
  readonly key: K
}

/**
 * The key, where it may be deleted.
 *
 * @since 1.0.0
 * @category types
 */
export type Deletable<Shape, K> = K extends RequiredKey<Shape> ? RequiredKeyCannotBeDeleted<K> : K

/**
 * How a context behaves at forks and joins.
 *
 * @since 1.0.0
 * @category models
 */
export interface Options<Shape> {
  /** How a child gets its map. Default: `"copy"`. */
  readonly fork?: Fork
  /** What a join does with a child's writes. Default: `"isolate"`. */
  readonly join?: Join
  /**
   * The keys that `clear` must leave. Types are gone at run time, so without this list `clear` leaves every key that
   * the map was attached with, which are the required ones at least. `[]` clears all.
   */
  readonly required?: ReadonlyArray<RequiredKey<Shape>>
}

/**
 * What is in a fiber's services where a context is attached. Opaque: read it through the tag, make it with the tag's `of`.
 *
 * @since 1.0.0
 * @category models
 */
export interface Attached<Shape> {
  readonly _tag: "aiocontext/Region"
  /** Carries the shape for the types; there is nothing in it. */
  readonly _Shape?: (_: never) => Shape
}

/**
 * A map kept for later.
 *
 * @since 1.0.0
 * @category models
 */
export interface Snapshot<Self> {
  /** The map as it was. */
  readonly data: Entries
  /** Runs an effect with that map attached; what it writes is gone after it. */
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Self>>
}

/**
 * A context, whichever: what {@link attached} lists.
 *
 * @since 1.0.0
 * @category models
 */
export interface Any {
  /** The context's id. */
  readonly key: string
  /** See {@link TagClass.ref}. */
  readonly ref: MapRef
  /** See {@link TagClass.peek}. */
  readonly peek: (key: never) => Effect.Effect<Option.Option<unknown>>
  /** See {@link TagClass.dataOf}. */
  readonly dataOf: (fiber: AnyFiber) => Effect.Effect<Entries, NotAttachedError>
}

/**
 * A context: an Effect service tag whose members are the map. All members but `peek`, `dataOf`, `provide`, `layer`, `of` and
 * `ref` need the context in `R`, which `provide` and `layer` discharge. They fail with nothing but what is said of each.
 * Reads and writes of a key are O(log n), under `"chain"` O(depth) besides; what looks at the whole map is O(n) there.
 *
 * @example
 * ```ts
 * import { Context } from "aiocontext"
 * import { Effect } from "effect"
 *
 * class Cart extends Context.Tag("app/Cart")<Cart, {
 *   readonly id: string
 *   readonly items?: number
 *   readonly note?: string
 * }>() {}
 *
 * const program = Effect.gen(function*() {
 *   yield* Cart.merge({ items: 1, note: "gift" })
 *   yield* Cart.update("items", (items = 0) => items + 1)
 *   console.log(yield* Cart.get("items"), yield* Cart.getOption("note")) // => 2 { _id: 'Option', _tag: 'Some', value: 'gift' }
 *   console.log(yield* Cart.delete("note"), yield* Cart.has("note"), yield* Cart.get("note", "none")) // => true false none
 *   const error = yield* Effect.flip(Cart.getOrFail("note"))
 *   console.log(error._tag, error.key) // => KeyNotFoundError note
 *
 *   const before = yield* Cart.snapshot
 *   yield* Cart.get("items").pipe(Cart.locally({ items: 9 }), Effect.map((items) => console.log(items))) // => 9
 *   yield* Cart.clear
 *   console.log(yield* Cart.size, yield* Cart.keys, yield* before.run(Cart.get("items"))) // => 1 [ 'id' ] 2
 * })
 *
 * await Effect.runPromise(program.pipe(Cart.provide({ id: "c-1" })))
 * ```
 *
 * @since 1.0.0
 * @category models
 */
export interface TagClass<Self, Id extends string, Shape, Seed = Shape>
  extends EffectContext.Tag<Self, Attached<Shape>>
{
  new(_: never): EffectContext.TagClassShape<Id, Attached<Shape>>
  /** The class itself, so that a class which names another one as its `Self` is a type error. */
  readonly prototype: Self
  /** The context's id. */
  readonly key: Id

  /** The value of a key. O(log n). */
  readonly get: {
    /** The value of a key; `undefined` where an optional key is absent. */
    <K extends Key<Shape>>(key: K): Effect.Effect<Shape[K], never, Self>
    /** The value of a key, or the fallback where it is absent. A stored `undefined` is present. */
    <K extends Key<Shape>, B>(key: K, fallback: B): Effect.Effect<Value<Shape, K> | B, never, Self>
  }
  /** The value of a key, if it is there: tells a stored `undefined` from an absent key. */
  readonly getOption: <K extends Key<Shape>>(key: K) => Effect.Effect<Option.Option<Value<Shape, K>>, never, Self>
  /** The value of a key; fails with {@link KeyNotFoundError} where it is absent. */
  readonly getOrFail: <K extends Key<Shape>>(key: K) => Effect.Effect<Value<Shape, K>, KeyNotFoundError, Self>
  /** The value of a key, if the context is attached and has it: for loggers, and libraries that run either way. */
  readonly peek: <K extends Key<Shape>>(key: K) => Effect.Effect<Option.Option<Value<Shape, K>>>
  /** Sets a key, in O(log n): the cost does not grow with the map as that of `FiberRef.update` does. */
  readonly set: <K extends Key<Shape>>(key: K, value: Value<Shape, K>) => Effect.Effect<void, never, Self>
  /** Sets several keys at once, in O(log n) for each. */
  readonly merge: (entries: Partial<Shape>) => Effect.Effect<void, never, Self>
  /** Sets a key to what `f` makes of what `get(key)` gives. What `f` throws is a defect, and nothing is set. */
  readonly update: <K extends Key<Shape>>(
    key: K,
    f: (value: Shape[K]) => Value<Shape, K>
  ) => Effect.Effect<void, never, Self>
  /** Removes an optional key; `true` if it was there. A required one is a type error. */
  readonly delete: <K extends Key<Shape>>(key: Deletable<Shape, K>) => Effect.Effect<boolean, never, Self>
  /** Whether a key is there, a stored `undefined` too. */
  readonly has: (key: Key<Shape>) => Effect.Effect<boolean, never, Self>
  /** The number of keys. O(1). */
  readonly size: Effect.Effect<number, never, Self>
  /** The keys, in no particular order. O(n). */
  readonly keys: Effect.Effect<ReadonlyArray<Key<Shape>>, never, Self>
  /** The entries, in no particular order: each key with a value of its own type. O(n). */
  readonly entries: Effect.Effect<ReadonlyArray<Entry<Shape>>, never, Self>
  /** Removes the optional keys: see {@link Options.required}. The ready-made `Ctx` loses all. */
  readonly clear: Effect.Effect<void, never, Self>
  /** The map as it is now. O(1), except under `"chain"`. */
  readonly data: Effect.Effect<Entries, never, Self>
  /** The map of any fiber, running or done. O(1). Fails with {@link NotAttachedError} where it is not attached to it. */
  readonly dataOf: (fiber: AnyFiber) => Effect.Effect<Entries, NotAttachedError>
  /** The map as it is now, to run effects with later. O(1); holds the map for as long as it is held. */
  readonly snapshot: Effect.Effect<Snapshot<Self>, never, Self>
  /** Sets entries for a region; each key has its former value after it, however it ends. O(log n) a key, twice. */
  readonly locally: {
    (entries: Partial<Shape>): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
    <A, E, R>(effect: Effect.Effect<A, E, R>, entries: Partial<Shape>): Effect.Effect<A, E, R | Self>
  }
  /** Attaches the context to an effect, with these entries. Builds no layer: the path for a request. O(entries). */
  readonly provide: {
    (entries: Seed): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Self>>
    <A, E, R>(effect: Effect.Effect<A, E, R>, entries: Seed): Effect.Effect<A, E, Exclude<R, Self>>
  }
  /** A layer that attaches the context with these entries. Costs what a layer costs: many times a `provide`. */
  readonly layer: (entries: Seed) => Layer.Layer<Self>
  /**
   * The service itself, with these entries: for `Effect.provideService`, `Layer.succeed` and a middleware that provides the
   * context. It is the map of the effect that it is provided to, until a region is entered inside; and of what captures it.
   * What is written there costs more than under `provide`: Effect does not say when a service is over.
   */
  readonly of: {
    (entries: Seed): Attached<Shape>
    /** A service that is there already, as any tag's `of` gives it. */
    (service: Attached<Shape>): Attached<Shape>
  }
  /**
   * The model itself, a `FiberRef<HashMap<string, unknown>>`: the map of the fiber that reads it (under `"share"` and
   * `"chain"`, its own layer). Read it freely; write through `set`, which is cheaper. A map that is read from it equals
   * nothing but itself while a region is entered: compare `data`.
   */
  readonly ref: MapRef

  /** @internal */
  readonly [SpecId]: ContextSpec
}

// -----------------------------------------------------------------------------------------------------------------
// the tag
// -----------------------------------------------------------------------------------------------------------------

/**
 * Defines a context.
 *
 * The id names it in the whole process: tags with the same id are the same context. Without a `Shape` it is a dict.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Context from "aiocontext/Context"
 *
 * class RequestContext extends Context.Tag("app/RequestContext")<RequestContext, {
 *   readonly request_id: string
 *   readonly user?: string
 * }>() {}
 *
 * const program = Effect.gen(function*() {
 *   yield* RequestContext.set("user", "ann")
 *   return `${yield* RequestContext.get("request_id")} ${yield* RequestContext.get("user")}`
 * })
 *
 * const line = Effect.runSync(program.pipe(RequestContext.provide({ request_id: "r-1" })))
 * console.log(line) // => r-1 ann
 * ```
 *
 * @since 1.0.0
 * @category constructors
 */
export const Tag =
  <const Id extends string>(id: Id) => <Self, Shape = Dict>(options?: Options<Shape>): TagClass<Self, Id, Shape> =>
    makeTag(id, options) as TagClass<Self, Id, Shape>

// -----------------------------------------------------------------------------------------------------------------
// what is attached
// -----------------------------------------------------------------------------------------------------------------

/**
 * The contexts that are attached where this runs. The counterpart of AioContext's `get_loop_contexts`.
 *
 * @since 1.0.0
 * @category contexts
 */
export const attached: Effect.Effect<ReadonlyArray<Any>> = /* @__PURE__ */ syncWithFiber((fiber) =>
  attachedTo(fiber).map(({ tag }) => tag as Any)
)

const CtxBase: TagClass<Ctx, "aiocontext/Ctx", Dict> = /* @__PURE__ */ Tag("aiocontext/Ctx")<Ctx>({ required: [] })

/**
 * The ready-made context: a dict. `context` is its imperative side, `ContextLayer` attaches it.
 *
 * @since 1.0.0
 * @category contexts
 */
export class Ctx extends CtxBase {}
