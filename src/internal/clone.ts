/**
 * Deep copies, as Python's `copy.deepcopy` makes them: cycles and shared parts stay what they are, functions and symbols
 * are not copied, instances keep their class.
 */

/** A deep copy of a value. Throws where a value cannot be copied: a promise, say, or a `WeakMap`. */
export const deepClone = <A>(value: A, seen: Map<object, unknown> = new Map()): A =>
  typeof value === "object" && value !== null ? cloneObject(value, seen) as A : value

const cloneObject = (value: object, seen: Map<object, unknown>): unknown => {
  const known = seen.get(value)
  if (known !== undefined) {
    return known
  }
  const keep = <A extends object>(copy: A): A => {
    seen.set(value, copy)
    return copy
  }
  if (value instanceof Map) {
    const copy = keep(withPrototype(new Map<unknown, unknown>(), value))
    value.forEach((item, key) => Map.prototype.set.call(copy, deepClone(key, seen), deepClone(item, seen)))
    return copyProperties(copy, value, seen)
  }
  if (value instanceof Set) {
    const copy = keep(withPrototype(new Set<unknown>(), value))
    value.forEach((item) => Set.prototype.add.call(copy, deepClone(item, seen)))
    return copyProperties(copy, value, seen)
  }
  if (Array.isArray(value)) {
    return copyProperties(keep(withPrototype([], value)), value, seen)
  }
  if (value instanceof Error) {
    return copyProperties(keep(withPrototype(new Error(), value)), value, seen)
  }
  if (uncopyable.some((type) => value instanceof type)) {
    throw new TypeError(`a ${value.constructor.name} cannot be copied`)
  }
  return hidesData(value)
    ? keep(withPrototype(structuredClone(value), value))
    : copyProperties(keep(Object.create(Object.getPrototypeOf(value)) as object), value, seen)
}

const withPrototype = <A extends object>(copy: A, value: object): A => {
  const prototype = Object.getPrototypeOf(value)
  return Object.getPrototypeOf(copy) === prototype ? copy : Object.setPrototypeOf(copy, prototype)
}

const copyProperties = <A extends object>(copy: A, value: object, seen: Map<object, unknown>): A => {
  for (const key of Reflect.ownKeys(value)) {
    const descriptor = descriptorOf(value, key)
    Object.defineProperty(
      copy,
      key,
      "value" in descriptor ? { ...descriptor, value: deepClone(descriptor.value, seen) } : descriptor
    )
  }
  return copy
}

// An error's stack is an accessor on newer engines, and in a copy it would read the stack of the copying.
const descriptorOf = (value: object, key: PropertyKey): PropertyDescriptor => {
  const descriptor = Object.getOwnPropertyDescriptor(value, key)!
  return value instanceof Error && key === "stack" && !("value" in descriptor)
    ? { configurable: descriptor.configurable!, enumerable: descriptor.enumerable!, writable: true, value: value.stack }
    : descriptor
}

// Built-in objects keep their data where no copy of their properties would reach it.
const hidesData = (value: object): boolean =>
  ArrayBuffer.isView(value) || [Date, RegExp, ArrayBuffer].some((type) => value instanceof type)

const uncopyable = [Promise, WeakMap, WeakSet, WeakRef, EventTarget]
