/**
 * A picture of one request's way: who sent what to whom, what was left out, and why.
 */
import * as Propagation from "aiocontext/Propagation"
import type { Hop } from "./ledger.js"
import { Request } from "./request.js"

type Entries = Partial<typeof Request.schema.Type>

const keysOf = (carrier: Propagation.Source, trust: "trusted" | "public"): ReadonlyArray<string> =>
  Object.keys(Propagation.decode(Request, carrier, { trust }).entries)

const without = (keys: ReadonlyArray<string>, others: ReadonlyArray<string>) =>
  keys.filter((key) => !others.includes(key))

const line = (what: string, keys: ReadonlyArray<string>, why = "") =>
  keys.length === 0 ? [] : [`     ${what} ${keys.join(", ")}${why}`]

/** What a service takes of what came in. */
const taken = ({ from, headers }: Hop): ReadonlyArray<string> => {
  const trust = from === "a stranger" ? "public" : "trusted"
  const own = keysOf(headers, trust)
  return [
    ...line("taken:        ", own),
    ...line("not looked at:", without(keysOf(headers, "trusted"), own), " (a stranger may not set them)")
  ]
}

/** What a sender that has these entries left out. */
const leftOut = ({ headers, to }: Hop, held: Entries): ReadonlyArray<string> => {
  const travels = keysOf(Propagation.encode(Request, held), "trusted")
  const sent = keysOf(headers, "trusted")
  return [
    ...line("sent:         ", sent),
    ...line("left out:     ", without(travels, sent), ` (${to} is a stranger: public keys only)`),
    ...line("left out:     ", without(Object.keys(held), travels), " (no wire name: it never leaves the process)")
  ]
}

/** Draws the hops of a request, given the entries that the gateway held. */
export const drawWay = (hops: ReadonlyArray<Hop>, held: Entries): string =>
  hops.flatMap((hop, i) => {
    const { from, headers, to } = hop
    const sender = hops.find(({ to }) => to === from)
    // what a service holds is what it was sent
    const theirs = sender === undefined || from === "gateway"
      ? held
      : Propagation.decode(Request, sender.headers).entries
    const names = ["x-request-id", "baggage"].filter((name) => headers[name] !== undefined)
    return [
      `${from} ──▶ ${to}`,
      ...names.map((name) => `     ${name}: ${String(headers[name])}`),
      ...i === 0 ? taken(hop) : leftOut(hop, theirs)
    ]
  }).join("\n")
