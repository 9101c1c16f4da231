/**
 * What the modules of the library know of a context tag: its definition, its fiber ref, and its map in the places that have one.
 */
import * as HashMap from "effect/HashMap"
import type * as Option from "effect/Option"
import { allEntries, getEntry, materialize, modifyEntries, mustMaterialize } from "./attachment.js"
import type { Attachment, Entries, Modify } from "./attachment.js"
import * as bags from "./bag.js"
import * as engine from "./engine.js"

/** The key of the tag's member that holds its {@link Spec}. */
export const SpecId: unique symbol = Symbol.for("aiocontext/Spec")

/** A context, as the library sees it. */
export interface Spec extends engine.Attachable {
  /** The keys that `clear` leaves alone; those of the seed where they are not known. */
  readonly required: ReadonlyArray<string> | undefined
}

/** A context tag, of whatever shape. */
export interface Tagged {
  readonly [SpecId]: Spec
}

/** The spec of a context tag. */
export const specOf = (tag: Tagged): Spec => tag[SpecId]

/** What is thrown where an argument is not what the types say. */
export const mistake = (expected: string, got: unknown): TypeError =>
  new TypeError(`${expected}, and got ${String(got)}`)

/** The entries of a plain object, as a map. `__proto__` and its like are keys like any other. */
export const fromObject = (operation: string, entries: object): Entries =>
  HashMap.isHashMap(checked(operation, entries))
    ? entries as Entries
    : HashMap.fromIterable(Object.entries(entries))

/** The same, as a bag: many times as fast to make. */
export const bagOf = (operation: string, entries: object): bags.Bag =>
  bags.fromObject(HashMap.isHashMap(checked(operation, entries)) ? Object.fromEntries(entries as Entries) : entries)

const checked = (operation: string, entries: object): object => {
  if (typeof entries !== "object" || entries === null) {
    throw mistake(`${operation} takes entries, as in ${operation}({ user: "ann" })`, entries)
  }
  return entries
}

/** How a place (a fiber, or what promise code runs in) has the values of fiber refs. */
export interface Access<Place> {
  readonly stateOf: (place: Place) => engine.State
  readonly valueOf: (place: Place, ref: engine.Ref) => Entries
  readonly write: (place: Place, ref: engine.Ref, value: Entries, keepHistory: boolean) => void
}

/** The map of a context in places of one kind, where it is attached. */
export interface MapIn<Place> {
  /** The value to read the map from: one of the task's own, where its strategy makes values. */
  readonly value: (place: Place, attachment: Attachment) => Entries
  readonly entry: (place: Place, attachment: Attachment, key: string) => Option.Option<unknown>
  readonly all: (place: Place, attachment: Attachment) => Entries
  /** Changes the map; tells whether it did. */
  readonly modify: (place: Place, attachment: Attachment, f: Modify) => boolean
}

/** Makes the map of a context. */
export const mapIn = <Place>(
  { definition: { join, key }, ref }: Spec,
  { stateOf, valueOf, write }: Access<Place>
): MapIn<Place> => {
  const keeps = (place: Place) => engine.keeps(() => stateOf(place), key)

  const replace = (place: Place, value: Entries): Entries => {
    write(place, ref, value, join === "merge")
    return value
  }

  const value = (place: Place, attachment: Attachment): Entries => {
    const value = valueOf(place, ref)
    return mustMaterialize(value, attachment)
      ? replace(place, materialize(value, attachment, keeps(place)))
      : value
  }

  return {
    value,
    entry: (place, attachment, key) => getEntry(value(place, attachment), attachment, key),
    all: (place, attachment) => allEntries(value(place, attachment), attachment),
    modify(place, attachment, f) {
      const next = modifyEntries(valueOf(place, ref), attachment, keeps(place), f)
      return !!next && replace(place, next) === next
    }
  }
}

/** What `delete` makes of a map. Effect's `remove` makes another map of an empty one. */
export const remove = (key: string): Modify => (own) => HashMap.has(own, key) ? HashMap.remove(own, key) : own

/** What `clear` makes of a map. */
export const clear = ({ required }: Spec): Modify => (own, { seed }) =>
  HashMap.filter(own, (_, key) => required ? required.includes(key) : HashMap.has(seed, key))
