/**
 * Objects whose properties live elsewhere: in the running task, say.
 *
 * A bag is an immutable record of properties, so whoever holds one keeps what it had; a write makes a new one, O(n).
 */

import { type Bag as Entries, toBag } from "../map/entries.js"

/** The properties of an object. Nothing is in its prototype, so that its keys are its own. */
export type Bag = Entries & { readonly [key: PropertyKey]: unknown }

/** Where an object's properties live. */
export interface Keeper {
  /** The bag of this moment; `operation` is for the error where there is none. */
  read(operation: string): Bag
  write(operation: string, bag: Bag): void
}

/** A bag with the properties of an object. */
export const fromObject = (properties: object): Bag => toBag(properties)

/** A bag without properties. */
export const empty: Bag = /* @__PURE__ */ fromObject({})

const set = (bag: Bag, key: PropertyKey, value: unknown): Bag => {
  const next = fromObject(bag) as { [key: PropertyKey]: unknown }
  next[key] = value
  return next
}

const remove = (bag: Bag, key: PropertyKey): Bag => {
  const next = fromObject(bag) as { [key: PropertyKey]: unknown }
  delete next[key]
  return next
}

const isPlain = (descriptor: PropertyDescriptor): boolean =>
  descriptor.get === undefined && descriptor.set === undefined && descriptor.writable === true &&
  descriptor.enumerable === true && descriptor.configurable === true

/** An object with a keeper's properties, and a prototype's behind them. `name` stands for it in messages. */
export const makeObject = <A extends object>(name: string, keeper: Keeper, prototype: object = Object.prototype): A => {
  const at = (key: PropertyKey): string => `${name}[${typeof key === "string" ? JSON.stringify(key) : String(key)}]`
  return new Proxy<any>(Object.create(prototype), {
    get(target, key, receiver) {
      const bag = keeper.read(at(key))
      return key in bag ? bag[key] : Reflect.get(target, key, receiver)
    },
    set(target, key, value, receiver) {
      const operation = `${at(key)} = value`
      const bag = keeper.read(operation)
      if (key in target && !(key in bag)) {
        // the prototype may have a setter for it
        return Reflect.set(target, key, value, receiver)
      }
      keeper.write(operation, set(bag, key, value))
      return true
    },
    has(target, key) {
      return key in keeper.read(at(key)) || Reflect.has(target, key)
    },
    deleteProperty(_target, key) {
      const operation = `delete ${at(key)}`
      const bag = keeper.read(operation)
      if (key in bag) {
        keeper.write(operation, remove(bag, key))
      }
      return true
    },
    ownKeys() {
      return Reflect.ownKeys(keeper.read(`the keys of ${name}`))
    },
    getOwnPropertyDescriptor(_target, key) {
      const bag = keeper.read(at(key))
      return key in bag ? { value: bag[key], writable: true, enumerable: true, configurable: true } : undefined
    },
    defineProperty(_target, key, descriptor) {
      if (!isPlain(descriptor)) {
        throw new TypeError(
          `${at(key)}: the properties of a ${name} are plain values, without getters and never fixed. Write it with` +
            ` ${at(key)} = value.`
        )
      }
      const operation = `${at(key)} = value`
      keeper.write(operation, set(keeper.read(operation), key, descriptor.value))
      return true
    },
    setPrototypeOf() {
      throw new TypeError(
        `A ${name} has no prototype of its own: its properties live in the running task. Set properties instead.`
      )
    },
    preventExtensions() {
      throw new TypeError(
        `A ${name} cannot be frozen, sealed or closed: its properties live in the running task. Freeze a copy:` +
          ` Object.freeze({ ...${name} }).`
      )
    }
  })
}
