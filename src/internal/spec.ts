/**
 * What the modules of the library know of a context tag: its definition, its fiber ref, and how it is attached.
 */
import type * as EffectContext from "effect/Context"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type * as Layer from "effect/Layer"
import { Attachment, materialize, mustMaterialize } from "./attachment.js"
import type { Definition, Entries } from "./attachment.js"
import * as engine from "./engine.js"

/** The key of the tag's member that holds its {@link Spec}. */
export const SpecId: unique symbol = Symbol.for("aiocontext/Spec")

/** A context, as the library sees it. */
export interface Spec {
  readonly definition: Definition
  readonly ref: engine.Ref
  /** The keys that `clear` leaves alone; those of the seed where they are not known. */
  readonly required: ReadonlyArray<string> | undefined
}

/** A context tag, of whatever shape. */
export interface Tagged {
  readonly [SpecId]: Spec
}

/** The spec of a context tag. */
export const specOf = (tag: Tagged): Spec => tag[SpecId]

/** The entries of a plain object, as a map. `__proto__` and its like are keys like any other. */
export const fromObject = (operation: string, entries: object): Entries =>
  HashMap.isHashMap(checked(operation, entries))
    ? entries as Entries
    : HashMap.fromIterable(Object.entries(entries))

/** The same, as a `Map`: several times as fast to make. */
export const indexOf = (operation: string, entries: object): ReadonlyMap<string, unknown> =>
  new Map(HashMap.isHashMap(checked(operation, entries)) ? entries as Entries : Object.entries(entries))

const checked = (operation: string, entries: object): object => {
  if (typeof entries !== "object" || entries === null) {
    throw new TypeError(
      `${operation} takes an object of entries, as in ${operation}({ request_id: "r-1" }), and got ${entries}`
    )
  }
  return entries
}

/** Adds the entries of a plain object to a map. */
export const addAll = (operation: string, entries: object): (own: Entries) => Entries => {
  const added = fromObject(operation, entries)
  return (own) => HashMap.union(own, added)
}

/** Whether `clear` removes a key. */
export const isCleared = (spec: Spec, attachment: Attachment) => (_value: unknown, key: string): boolean =>
  spec.required === undefined ? HashMap.has(attachment.seed, key) : spec.required.includes(key)

/** A new attachment of a context, inside the one that encloses it. */
export const attach = (spec: Spec, seed: Entries, outer: unknown, built: boolean, tag: unknown): Attachment =>
  new Attachment(spec.definition, seed, outer as Attachment | undefined, built, tag)

/** The value to read an attachment's map from: one of the task's own, where its strategy makes values. */
export const ready = (
  value: Entries,
  attachment: Attachment,
  state: () => engine.State,
  write: (value: Entries) => void
): Entries => {
  if (!mustMaterialize(value, attachment)) {
    return value
  }
  const own = materialize(value, attachment, engine.keeps(state, attachment.definition.key))
  write(own)
  return own
}

/** A layer that attaches a context, with the entries that an effect gives. */
export const layer = <Self, E, R>(
  tag: EffectContext.Tag<Self, any>,
  spec: Spec,
  entries: Effect.Effect<Entries, E, R>,
  self: unknown
): Layer.Layer<Self, E, R> =>
  engine.layerAttachment(
    tag,
    spec.ref,
    Effect.map(entries, (seed) => (fiber: engine.AnyFiber) =>
      attach(spec, seed, engine.serviceOfFiber(fiber, tag.key), true, self))
  )
