/**
 * Task-local context for Effect fibers: a map that a fiber carries and its children inherit.
 *
 * - **Fork.** A child starts with its parent's map and cannot change its parent's. How it gets the map is the context's
 *   `fork` strategy: {@link copy} (the default), {@link deepCopy}, {@link chain}, {@link share}, or a function.
 * - **Join.** With `join: "isolate"` (the default) what a child set ends with it. With `"merge"` it reaches the fiber
 *   that joins the child, key by key.
 * - **Race, timeout, interruption.** The loser's writes are gone with it. The winner is joined.
 * - **Regions.** `provide` and `layer` attach the context: inside there is a map, outside there is none, or the outer
 *   one as it was. However a region ends, nothing of it stays in the fiber.
 * - **One fiber is one task.** What sequential code sets is seen after it.
 *
 * The model is that of Python's AioContext, a dict on the running asyncio task; the map is an immutable `HashMap` in a
 * `FiberRef`, so a child's copy costs nothing, as with CPython's `contextvars` (PEP 567).
 *
 * @module
 */
import * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ForkError, KeyNotFoundError, NotAttachedError } from "./errors.js"
import * as attachments from "./internal/attachment.js"
import * as engine from "./internal/engine.js"
import * as specs from "./internal/spec.js"

// -----------------------------------------------------------------------------------------------------------------
// strategies
// -----------------------------------------------------------------------------------------------------------------

/** A context's map. Keys are strings; `undefined` is a value like any other. */
export type Entries = HashMap.HashMap<string, unknown>

/** How a child gets its map: given the parent's, the child's. It runs at the fork, and fails the fork if it throws. */
export type Fork = (parent: Entries) => Entries

/** What a join does with the child's writes: nothing, or bring them to the joining fiber key by key. */
export type Join = "isolate" | "merge"

/** A child starts with its parent's map, and each has its own from then on. The default; O(1). */
export const copy: Fork = attachments.copy

/**
 * A child gets values of its own: `structuredClone` of its parent's, O(n). A value that cannot be cloned (a function,
 * say) fails the fork with a {@link ForkError} that names its key. Instances of your classes come out as plain objects.
 */
export const deepCopy: Fork = (parent) => {
  const entries = HashMap.toEntries(parent)
  try {
    return HashMap.fromIterable(structuredClone(entries))
  } catch (cause) {
    for (const [key, value] of entries) {
      try {
        structuredClone(value)
      } catch (cause) {
        throw new ForkError({ context: "", key, cause })
      }
    }
    throw new ForkError({ context: "", cause })
  }
}

/**
 * A child reads what it wrote itself, and behind it its parent's *current* values; what it deletes and clears are its
 * own writes. The fork is O(1), a read O(depth of the nesting), the whole map O(n). As Python's `ChainMap.new_child`.
 *
 * @example
 * ```ts
 * import { Effect, Fiber } from "effect"
 * import * as Context from "aiocontext/Context"
 *
 * class Settings extends Context.Tag("app/Settings")<Settings>({ fork: Context.chain }) {}
 *
 * const program = Effect.gen(function*() {
 *   const child = yield* Effect.fork(Effect.andThen(Effect.yieldNow(), Settings.get("level")))
 *   yield* Settings.set("level", "debug") // after the fork, and the child sees it
 *   console.log(yield* Fiber.join(child)) // => debug
 * })
 *
 * await Effect.runPromise(program.pipe(Settings.provide({ level: "info" })))
 * ```
 */
export const chain: Fork = attachments.chain

/** Parent and child are one map, whoever writes, whichever of them ends first. O(1). */
export const share: Fork = attachments.share

// -----------------------------------------------------------------------------------------------------------------
// types
// -----------------------------------------------------------------------------------------------------------------

/** The shape of a context that has none: any string key, values of any type. */
export interface Dict {
  readonly [key: string]: unknown
}

/** The keys of a shape. */
export type Key<Shape> = Extract<keyof Shape, string>

/** The keys that a map of this shape may lack. */
export type OptionalKey<Shape> = {
  [K in Key<Shape>]: {} extends Pick<Shape, K> ? K : never
}[Key<Shape>]

/** The keys that a map of this shape always has. */
export type RequiredKey<Shape> = Exclude<Key<Shape>, OptionalKey<Shape>>

/** The value of a key that is there. */
export type Value<Shape, K extends keyof Shape> = Required<Shape>[K]

/** How a context behaves at forks and joins. */
export interface Options<Shape> {
  /** How a child gets its map. Default: {@link copy}. */
  readonly fork?: Fork
  /** What a join does with a child's writes. Default: `"isolate"`. */
  readonly join?: Join
  /**
   * The keys that `clear` must leave. Types are gone at run time, so without this list `clear` leaves every key that
   * the map was attached with, which are the required ones at least. `[]` clears all.
   */
  readonly required?: ReadonlyArray<RequiredKey<Shape>>
}

/** What is in a fiber's services where a context is attached. Opaque: read it through the tag. */
export interface Attached<Shape> {
  /** The entries that the context was attached with. */
  readonly seed: Entries
  /** Carries the shape for the types; there is nothing in it. */
  readonly _Shape?: (_: never) => Shape
}

/** A map kept for later. */
export interface Snapshot<Self> {
  /** The map as it was. */
  readonly data: Entries
  /** Runs an effect with that map attached; what it writes is gone after it. */
  readonly run: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Self>>
}

/** A context, whichever: what {@link attached} lists. */
export interface Any {
  /** The context's id. */
  readonly key: string
  /** See {@link TagClass.ref}. */
  readonly ref: engine.Ref
  /** See {@link TagClass.peek}. */
  readonly peek: (key: never) => Effect.Effect<Option.Option<unknown>>
  /** See {@link TagClass.dataOf}. */
  readonly dataOf: (fiber: engine.AnyFiber) => Effect.Effect<Entries, NotAttachedError>
}

/**
 * A context: an Effect service tag whose members are the map. All members but `peek`, `dataOf`, `provide`, `layer` and
 * `ref` need the context in `R`, which `provide` and `layer` discharge.
 */
export interface TagClass<Self, Id extends string, Shape> extends EffectContext.Tag<Self, Attached<Shape>> {
  new(_: never): EffectContext.TagClassShape<Id, Attached<Shape>>
  /** The context's id. */
  readonly key: Id

  /** The value of a key. O(log n). */
  readonly get: {
    /** The value of a key; `undefined` where an optional key is absent. */
    <K extends Key<Shape>>(key: K): Effect.Effect<Shape[K], never, Self>
    /** The value of a key, or the fallback where it is absent. A stored `undefined` is present. */
    <K extends Key<Shape>, B>(key: K, fallback: B): Effect.Effect<Value<Shape, K> | B, never, Self>
  }
  /** The value of a key, if it is there. */
  readonly getOption: <K extends Key<Shape>>(key: K) => Effect.Effect<Option.Option<Value<Shape, K>>, never, Self>
  /** The value of a key; fails with {@link KeyNotFoundError} where it is absent. */
  readonly getOrFail: <K extends Key<Shape>>(key: K) => Effect.Effect<Value<Shape, K>, KeyNotFoundError, Self>
  /** The value of a key, if the context is attached and has it: for loggers, and libraries that run either way. */
  readonly peek: <K extends Key<Shape>>(key: K) => Effect.Effect<Option.Option<Value<Shape, K>>>
  /** Sets a key, in O(log n): the cost does not grow with the map as that of `FiberRef.update` does. */
  readonly set: <K extends Key<Shape>>(key: K, value: Value<Shape, K>) => Effect.Effect<void, never, Self>
  /** Sets several keys. */
  readonly merge: (entries: Partial<Shape>) => Effect.Effect<void, never, Self>
  /** Sets a key to what `f` makes of its value. */
  readonly update: <K extends Key<Shape>>(
    key: K,
    f: (value: Option.Option<Value<Shape, K>>) => Value<Shape, K>
  ) => Effect.Effect<void, never, Self>
  /** Removes an optional key; `true` if it was there. */
  readonly delete: <K extends OptionalKey<Shape>>(key: K) => Effect.Effect<boolean, never, Self>
  /** Whether a key is there. */
  readonly has: (key: Key<Shape>) => Effect.Effect<boolean, never, Self>
  /** The number of keys. */
  readonly size: Effect.Effect<number, never, Self>
  /** The keys, in no particular order. */
  readonly keys: Effect.Effect<ReadonlyArray<Key<Shape>>, never, Self>
  /** The entries, in no particular order. */
  readonly entries: Effect.Effect<ReadonlyArray<readonly [Key<Shape>, Shape[Key<Shape>]]>, never, Self>
  /** Removes the optional keys: see {@link Options.required}. The ready-made `Ctx` loses all. */
  readonly clear: Effect.Effect<void, never, Self>
  /** The map as it is now. O(1), except under {@link chain}. */
  readonly data: Effect.Effect<Entries, never, Self>
  /** The map of any fiber, running or done; fails where the context is not attached to it. */
  readonly dataOf: (fiber: engine.AnyFiber) => Effect.Effect<Entries, NotAttachedError>
  /** The map as it is now, to run effects with later. */
  readonly snapshot: Effect.Effect<Snapshot<Self>, never, Self>
  /** Sets entries for a region; each of those keys has its former value after it, however the region ends. */
  readonly locally: (
    entries: Partial<Shape>
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R | Self>
  /** Attaches the context to an effect, with these entries. Builds no layer: the path for a request. */
  readonly provide: (
    entries: Shape
  ) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Self>>
  /** A layer that attaches the context with these entries. */
  readonly layer: (entries: Shape) => Layer.Layer<Self>
  /**
   * The model itself, a `FiberRef<HashMap<string, unknown>>`: the map of the fiber that reads it (under {@link share}
   * and {@link chain}, its own layer). Read it freely; write through `set`, which is cheaper, and keeps the maps of
   * enclosing regions.
   */
  readonly ref: engine.Ref

  /** @internal */
  readonly [specs.SpecId]: specs.Spec
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
 */
export const Tag =
  <const Id extends string>(id: Id) => <Self, Shape = Dict>(options?: Options<Shape>): TagClass<Self, Id, Shape> => {
    const spec: specs.Spec = {
      definition: { key: id, ...checked(id, options) },
      ref: engine.makeRef(id),
      required: options?.required
    }
    const tag = EffectContext.Tag(id)<Self, Attached<Shape>>()
    return Object.assign(tag, members(tag, spec)) as unknown as TagClass<Self, Id, Shape>
  }

const checked = (
  id: unknown,
  options: Pick<Options<never>, "fork" | "join"> | undefined
): { readonly fork: Fork; readonly join: Join } => {
  const { fork = copy, join = "isolate" } = options ?? {}
  if (typeof id !== "string") {
    throw specs.mistake(`Context.Tag takes an id, as in Context.Tag("app/Request")`, id)
  }
  const at = `Context.Tag(${JSON.stringify(id)}): `
  if (typeof fork !== "function") {
    throw specs.mistake(`${at}fork is a function, as Context.copy`, fork)
  }
  if (join !== "isolate" && join !== "merge") {
    throw specs.mistake(`${at}join is "isolate" or "merge"`, join)
  }
  return { fork, join }
}

const fibers: specs.Access<engine.AnyFiber> = {
  stateOf: engine.stateOf,
  valueOf: engine.valueOfFiber,
  write: engine.writeFiber
}

const members = (tag: EffectContext.Tag<any, any>, spec: specs.Spec) => {
  const { definition, ref } = spec
  const id = definition.key
  const { all, entry, modify } = specs.mapIn(spec, fibers)

  const attachmentOf = (fiber: engine.AnyFiber): attachments.Attachment | undefined =>
    engine.serviceOfFiber(fiber, id) as attachments.Attachment | undefined

  const notAttached = (operation: string): NotAttachedError => new NotAttachedError({ context: id, operation })

  const attachmentOrThrow = (fiber: engine.AnyFiber, operation: string): attachments.Attachment => {
    const attachment = attachmentOf(fiber)
    if (!attachment) {
      // the types rule this out, so it is a defect
      throw notAttached(operation)
    }
    return attachment
  }

  const attached = <A>(operation: string, f: (fiber: engine.AnyFiber, attachment: attachments.Attachment) => A) =>
    engine.syncWithFiber((fiber) => f(fiber, attachmentOrThrow(fiber, operation)))

  const writing = (operation: string, f: attachments.Modify) =>
    attached(operation, (fiber, attachment) => {
      modify(fiber, attachment, f)
    })

  const getOption = (key: string) => attached("get", (fiber, attachment) => entry(fiber, attachment, key))

  const data = attached("data", all)

  const provideEntries = (seed: Entries, self: unknown) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    engine.provideAttachment(effect, spec, seed, self)

  return {
    [specs.SpecId]: spec,
    ref,
    get: (key: string, fallback?: unknown) =>
      // as `attached`, with one function less: the operation that a program does most often
      engine.syncWithFiber((fiber) => {
        const found = entry(fiber, attachmentOrThrow(fiber, "get"), key)
        return found._tag === "Some" ? found.value : fallback
      }),
    getOption,
    getOrFail: (key: string) =>
      Effect.mapError(Effect.flatten(getOption(key)), () => new KeyNotFoundError({ context: id, key })),
    peek: (key: string) =>
      engine.syncWithFiber((fiber) => {
        const attachment = attachmentOf(fiber)
        return attachment ? entry(fiber, attachment, key) : Option.none()
      }),
    set: (key: string, value: unknown) => writing("set", HashMap.set(key, value)),
    merge: (entries: object) => writing("merge", HashMap.union(specs.fromObject("merge", entries))),
    update: (key: string, f: (value: Option.Option<unknown>) => unknown) =>
      attached(
        "update",
        (fiber, attachment) => modify(fiber, attachment, HashMap.set(key, f(entry(fiber, attachment, key))))
      ),
    delete: (key: string) => attached("delete", (fiber, attachment) => modify(fiber, attachment, specs.remove(key))),
    has: (key: string) => attached("has", (fiber, attachment) => Option.isSome(entry(fiber, attachment, key))),
    size: Effect.map(data, HashMap.size),
    keys: Effect.map(data, (entries) => Array.from(HashMap.keys(entries))),
    entries: Effect.map(data, HashMap.toEntries),
    clear: writing("clear", specs.clear(spec)),
    data,
    dataOf: (fiber: engine.AnyFiber) =>
      Effect.suspend(() => {
        const attachment = attachmentOf(fiber)
        return attachment ? Effect.succeed(all(fiber, attachment)) : Effect.fail(notAttached("dataOf"))
      }),
    snapshot: Effect.map(data, (entries) => ({ data: entries, run: provideEntries(entries, tag) })),
    locally: (entries: object) => {
      const added = specs.fromObject("locally", entries)
      return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.acquireUseRelease(
          attached("locally", (fiber, attachment) => {
            // not the whole map, which the region would hold
            let before = HashMap.empty<string, Option.Option<unknown>>()
            modify(fiber, attachment, (own) => {
              before = HashMap.map(added, (_, key) => HashMap.get(own, key))
              return HashMap.union(own, added)
            })
            return before
          }),
          () => effect,
          (before) =>
            writing("locally", (own) =>
              HashMap.reduce(before, own, (map, entry, key) => HashMap.modifyAt(map, key, () => entry)))
        )
    },
    // `this` is the class that the user wrote, so that `attached` can name it
    provide(this: unknown, entries: object) {
      return provideEntries(specs.fromObject("provide", entries), this ?? tag)
    },
    layer(this: unknown, entries: object) {
      return engine.layerAttachment(tag, spec, Effect.succeed(specs.fromObject("layer", entries)), this ?? tag)
    }
  }
}

// -----------------------------------------------------------------------------------------------------------------
// what is attached
// -----------------------------------------------------------------------------------------------------------------

/** The contexts that are attached where this runs. The counterpart of AioContext's `get_loop_contexts`. */
export const attached: Effect.Effect<ReadonlyArray<Any>> = /* @__PURE__ */ engine.syncWithFiber((fiber) =>
  Array.from(engine.servicesOfFiber(fiber)).filter(attachments.isAttachment).map(({ tag }) => tag as Any)
)

const CtxBase: TagClass<Ctx, "aiocontext/Ctx", Dict> = /* @__PURE__ */ Tag("aiocontext/Ctx")<Ctx>({ required: [] })

/**
 * The ready-made context: a dict. `context` is its imperative side, `ContextLayer` attaches it.
 */
export class Ctx extends CtxBase {}
