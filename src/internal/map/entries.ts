/**
 * The entries of a map, and what users may give in their place.
 */
import * as Hash from "effect/Hash"
import * as HashMap from "effect/HashMap"
import type * as Option from "effect/Option"
import { invalidArgument } from "../argument.js"
import { globalValue } from "../global.js"

/** A context's map. Keys are strings; `undefined` is a value like any other. */
export type Entries = HashMap.HashMap<string, unknown>

/** A map as a plain object. Nothing is in its prototype, so that its keys are its own. */
export type Bag = { readonly [key: string]: unknown }

/** The same entries in a new object, O(1). */
export const fresh = (entries: Entries): Entries => HashMap.endMutation(HashMap.beginMutation(entries))

/** No entries. */
export const none: Entries = /* @__PURE__ */ HashMap.empty()

/** What a fiber ref holds where there is no map: told from an empty map by its identity. */
export const absent: Entries = /* @__PURE__ */ globalValue("aiocontext/absent", () => fresh(HashMap.empty()))

// An object of a class is quick to make and to read. To the JavaScript engine `Object.create(null)` is a hash table.
const Properties = /* @__PURE__ */ (() => {
  function Properties() {}
  Properties.prototype = Object.create(null)
  return Properties as unknown as new() => Bag
})()

/** A bag with the properties of an object. */
export const toBag = (entries: object): Bag => Object.assign(new Properties(), entries)

/** The entries of a bag, or of a plain object that has been checked. */
export const fromObject = (entries: object): Entries => HashMap.fromIterable(Object.entries(entries))

/** Whether a value has keys and is no list or other collection. */
const isKeyed = (entries: unknown): entries is object =>
  typeof entries === "object" && entries !== null && (!(Symbol.iterator in entries) || HashMap.isHashMap(entries))

/** Checks that a value may stand for entries: a plain object, or a `HashMap`. What it has under symbols are no entries. */
export const checkEntries = (operation: string, entries: unknown): object => {
  if (!isKeyed(entries)) {
    throw invalidArgument(
      `${operation} takes entries, as in ${operation}({ user: "ann" }), with strings as keys`,
      entries
    )
  }
  return entries
}

/** What a user gave as entries, with what `fill` makes of them. */
const filled = (operation: string, entries: unknown, fill: ((entries: object) => object) | undefined): object => {
  const checked = checkEntries(operation, entries)
  return fill === undefined
    ? checked
    : fill(HashMap.isHashMap(checked) ? Object.fromEntries(checked as Entries) : checked)
}

/** What a user gave as entries, as a map. `__proto__` and its like are keys like any other. */
export const fromInput = (operation: string, entries: unknown, fill?: (entries: object) => object): Entries => {
  const checked = filled(operation, entries, fill)
  return HashMap.isHashMap(checked) ? fresh(checked as Entries) : fromObject(checked)
}

/** The same, as a bag: many times as fast to make. */
export const bagFromInput = (operation: string, entries: unknown, fill?: (entries: object) => object): Bag => {
  const checked = filled(operation, entries, fill)
  return toBag(HashMap.isHashMap(checked) ? Object.fromEntries(checked as Entries) : checked)
}

/** Checks that a key is a string: a number or a symbol would be another key in a bag than in a map. */
export const checkKey = (operation: string, key: unknown): void => {
  if (typeof key !== "string") {
    throw invalidArgument(`${operation} takes a string as the key, as in ${operation}("user")`, key)
  }
}

/** One entry. As `HashMap.get`, which asks first what kind of key it got. */
export const lookup = (entries: Entries, key: string): Option.Option<unknown> =>
  HashMap.getHash(entries, key, Hash.string(key))
