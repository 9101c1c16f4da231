/**
 * A context, as the library sees it, and its map in the places that have one.
 */
import * as HashMap from "effect/HashMap"
import { NotAttachedError } from "../../errors.js"
import { invalidArgument } from "../argument.js"
import type { MapRef } from "../effect3/refs.js"
import type { Entries } from "../map/entries.js"
import * as maps from "../map/held.js"
import type { Change, Holder } from "../map/held.js"
import type { Definition } from "../map/region.js"

/** The key of the tag's member that holds its {@link ContextSpec}. */
export const SpecId: unique symbol = Symbol.for("aiocontext/Spec")

/** A context: its definition, and its fiber ref. */
export interface ContextSpec {
  readonly definition: Definition
  readonly ref: MapRef
}

/** A context tag, of whatever shape. */
export interface Tagged {
  readonly [SpecId]: ContextSpec
}

/** The spec of a context tag. `operation` is for the error where the value is none. */
export const specOf = (operation: string, tag: Tagged): ContextSpec => {
  const spec = (tag as Partial<Tagged> | undefined | null)?.[SpecId]
  if (spec === undefined) {
    throw invalidArgument(`${operation} takes a context, a class that extends Context.Tag("app/Request")<…>()`, tag)
  }
  return spec
}

/** How a place has its map: a fiber, or what promise code runs in. */
export interface Access<Place> {
  readonly holderOf: (place: Place, spec: ContextSpec) => Holder
  readonly write: (place: Place, ref: MapRef, value: Entries) => void
}

/** The map of a context in places of one kind. */
export interface MapIn<Place> {
  readonly isAttached: (place: Place) => boolean
  /** The error of an operation where it is not attached. */
  readonly notAttached: (place: Place, operation: string) => NotAttachedError
  /** The map of a place, ready to be read and written; `undefined` where the context is not attached. */
  readonly open: (place: Place) => Holder | undefined
  /** The same for what never throws: `undefined` also where a map of the place's own cannot be made. */
  readonly peek: (place: Place) => Holder | undefined
  /** Changes the map that is open in a place; tells whether it did. */
  readonly modify: (place: Place, open: Holder, change: Change) => boolean
}

/** Makes the map of a context. */
export const mapIn = <Place>(spec: ContextSpec, { holderOf, write }: Access<Place>): MapIn<Place> => {
  const { definition, ref } = spec

  const open = (place: Place): Holder | undefined => {
    const holder = holderOf(place, spec)
    if (!maps.isAttached(holder)) {
      return undefined
    }
    // a map of the place's own, where its strategy makes one
    const value = maps.readied(holder, definition)
    if (value === holder.value) {
      return holder
    }
    write(place, ref, value)
    return { ...holder, value }
  }

  return {
    open,
    peek: (place) => {
      try {
        return open(place)
      } catch {
        return undefined
      }
    },
    isAttached: (place) => maps.isAttached(holderOf(place, spec)),
    notAttached: (place, operation) =>
      new NotAttachedError({
        context: definition.key,
        operation,
        isLate: holderOf(place, spec).service?.kind === "late"
      }),
    modify: (place, open, change) => {
      const next = maps.changed(open, definition, change)
      if (next === undefined) {
        return false
      }
      write(place, ref, next)
      return true
    }
  }
}

/** What `delete` makes of a map. Effect's `remove` makes another map of an empty one. */
export const remove = (key: string): Change => (own) => HashMap.has(own, key) ? HashMap.remove(own, key) : own

/** What `clear` makes of a map. */
export const clear = ({ definition: { required } }: ContextSpec): Change => (own, { seed }) =>
  HashMap.filter(own, (_, key) => required === undefined ? HashMap.has(seed, key) : required.includes(key))
