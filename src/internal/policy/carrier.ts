/**
 * A context's entries in a carrier and back: which keys, by trust, and in what form.
 */
import { InboundError, type Reason } from "../../reach-errors.js"
import type { Entries } from "./codec.js"
import { byteLength, isHeaderValue, isWellFormed } from "./grammar.js"
import * as members from "./members.js"
import { allows, type Plan, type WireKey } from "./plan.js"
import type { Trust } from "./policy.js"

/** Texts under lower-case names. */
export type Carrier = { readonly [name: string]: string }

// -----------------------------------------------------------------------------------------------------------------
// out
// -----------------------------------------------------------------------------------------------------------------

/** A value as it stands on the wire; `undefined` where it cannot be carried. */
const onWire = ({ codec, header, maxBytes }: WireKey, value: unknown): string | undefined => {
  const text = codec().encode(value)
  const wire = text === undefined
    ? undefined
    : header
    ? isHeaderValue(text) ? text : undefined
    : isWellFormed(text)
    ? members.encode(text)
    : undefined
  return wire === undefined || wire.length > maxBytes ? undefined : wire
}

/** What a peer is sent. `read` gives a key's value, and `undefined` where there is none. */
export const outgoing = (
  plan: Plan,
  read: (key: string) => unknown,
  peer: Trust
): { readonly headers: Carrier; readonly members: ReadonlyArray<members.RawMember> } => {
  const headers: Record<string, string> = {}
  const list: Array<members.RawMember> = []
  for (const wireKey of plan.wire) {
    const value = allows(wireKey.out, peer) ? read(wireKey.key) : undefined
    const wire = value === undefined ? undefined : onWire(wireKey, value)
    if (wire === undefined) {
      continue
    }
    if (wireKey.header) {
      headers[wireKey.name] = wire
    } else {
      list.push({ key: wireKey.name, value: wire })
    }
  }
  return { headers, members: list }
}

/** What a peer is sent, as a carrier. */
export const write = (plan: Plan, read: (key: string) => unknown, peer: Trust): Carrier => {
  const { headers, members: list } = outgoing(plan, read, peer)
  const baggage = members.join(list)
  return baggage === "" ? headers : { ...headers, baggage }
}

// -----------------------------------------------------------------------------------------------------------------
// in
// -----------------------------------------------------------------------------------------------------------------

/** A header, or several of one name. What is no text is not there. */
type Read = (name: string) => string | ReadonlyArray<string> | undefined

const textOf = (value: unknown): string | ReadonlyArray<string> | undefined => {
  if (!Array.isArray(value)) {
    return typeof value === "string" ? value : undefined
  }
  const texts = value.filter((item) => typeof item === "string")
  return texts.length > 1 ? texts : texts[0]
}

/** How a carrier is read: a record, or what has a `get`, as the `Headers` of fetch. Anything else is empty. */
const reader = (carrier: unknown): Read => {
  if (typeof carrier !== "object" || carrier === null) {
    return () => undefined
  }
  const { get } = carrier as { readonly get?: unknown }
  return typeof get === "function"
    ? (name) => textOf(get.call(carrier, name))
    : (name) => Object.hasOwn(carrier, name) ? textOf((carrier as Record<string, unknown>)[name]) : undefined
}

/** A key's entry, or why it is refused; `undefined` where the carrier has none. */
const entryOf = (
  { codec, header, maxBytes }: WireKey,
  wire: string | ReadonlyArray<string> | undefined
): Entries | Reason | undefined => {
  if (wire === undefined) {
    return undefined
  }
  if (typeof wire !== "string") {
    return "ambiguous"
  }
  if (byteLength(wire) > maxBytes) {
    return "size"
  }
  if (header && !isHeaderValue(wire)) {
    return "encoding"
  }
  return codec().decode(header ? wire : members.decode(wire)) ?? "schema"
}

/** What came in: the entries that the context takes from such a peer, and what it refused. */
export interface Incoming {
  readonly entries: Entries
  readonly errors: ReadonlyArray<InboundError>
}

/** Reads a carrier. What the peer may not set is not looked at. */
export const read = (plan: Plan, carrier: unknown, peer: Trust): Incoming => {
  const header = reader(carrier)
  let baggage: ReadonlyMap<string, members.RawMember> | undefined
  const member = (name: string): string | undefined =>
    (baggage ??= members.split(header("baggage") ?? "")).get(name)?.value

  const entries: Record<string, unknown> = {}
  const errors: Array<InboundError> = []
  for (const wireKey of plan.wire) {
    if (!allows(wireKey.in, peer)) {
      continue
    }
    const { key, name } = wireKey
    const entry = entryOf(wireKey, wireKey.header ? header(name) : member(name))
    if (typeof entry === "string") {
      errors.push(new InboundError({ context: plan.context, key, reason: entry }))
    } else {
      Object.assign(entries, entry)
    }
  }
  return { entries, errors }
}

/** The names under which a context's keys stand in a carrier. */
export const namesOf = ({ wire }: Plan): ReadonlyArray<string> =>
  Array.from(new Set(wire.map(({ header, name }) => header ? name : "baggage")))
