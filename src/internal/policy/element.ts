/**
 * A carrier inside of what a queue stores: one more property of an object, which consumers that do not know it pass over.
 */
import type { Carrier } from "./carrier.js"

const name = "~aiocontext"

/** What is stored, taken apart. */
export interface Parts {
  /** What stood in the carrier's place, whatever it is; `undefined` where there is none. */
  readonly carrier: unknown
  /** The element without it. */
  readonly element: unknown
}

type Plain = { readonly [key: string]: unknown }

/** Whether it is an object that properties can be added to. */
export const isPlain = (element: unknown): element is Plain => {
  const prototype: unknown = typeof element === "object" && element !== null && Object.getPrototypeOf(element)
  return prototype === Object.prototype || prototype === null
}

const without = ({ [name]: _, ...rest }: Plain): Plain => rest

/**
 * Puts a carrier into an element. What an object has in the carrier's place already goes: who may fill a record must not
 * fill in a context. An element that is no object is left alone, or stored inside of one if `wrap` says so.
 */
export const put = (element: unknown, carrier: Carrier | undefined, wrap: boolean): unknown => {
  if (!isPlain(element)) {
    return wrap && carrier ? { [name]: [carrier, element] } : element
  }
  const own = Object.hasOwn(element, name) ? without(element) : element
  return carrier ? { ...own, [name]: carrier } : own
}

/** Takes an element and its carrier apart. */
export const take = (stored: unknown): Parts => {
  if (!isPlain(stored) || !Object.hasOwn(stored, name)) {
    return { carrier: undefined, element: stored }
  }
  const found = stored[name]
  return Array.isArray(found)
    ? { carrier: found[0], element: found[1] }
    : { carrier: found, element: without(stored) }
}
