/**
 * What a request to this process brings: its entries, and what is answered where they are refused.
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { type InboundError } from "../../reach-errors.js"
import { type Carrier, write } from "./carrier.js"
import * as members from "./members.js"
import { type Plan, shown } from "./plan.js"

/** What a Node request has of its headers. */
interface Distinct {
  readonly headersDistinct?: { readonly [name: string]: ReadonlyArray<string> | undefined }
}

/**
 * Headers in which one sees that a name was sent twice. Node joins most of those in its plain record; where `headers`
 * was changed since, what it says counts.
 */
export const distinct = (
  headers: { readonly [name: string]: unknown },
  source: unknown
): { readonly get: (name: string) => string | null } => ({
  get: (name) => {
    const all = (source as Distinct | undefined)?.headersDistinct?.[name] ?? []
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    return (all.length > 1 && value === all.join(", ") ? all : value) as string | null
  }
})

/** What a request is told whose input is refused: the context, the key and the reason. Never the value. */
export const refusal = ({ _tag, context, key, reason }: InboundError): object => ({ _tag, context, key, reason })

type Read = (key: string) => unknown

/** The headers that a response shows: those of the keys that are echoed, with the values that are read. */
export const echoing = (plan: Plan, keys: ReadonlyArray<string> = []): (read: Read) => Carrier => {
  const wire = plan.wire.filter(({ header, key }) => header && keys.includes(key))
  // whoever sent the request may know them, that is what they are echoed for
  const echoed = { ...plan, wire: wire.map((key) => ({ ...key, out: "public" as const })) }
  return (read) => write(echoed, read, "public")
}

/** The members of a request's baggage that are no key of the context. */
export const others = (plan: Plan, baggage: string | undefined): ReadonlyArray<members.RawMember> => {
  const own = new Set(plan.wire.filter(({ header }) => !header).map(({ name }) => name))
  return Array.from(members.split(baggage ?? "").values()).filter(({ key }) => !own.has(key))
}

/**
 * Writes the keys whose policy says so to the span that is around, with their values of that moment. Tracers of servers
 * make it outside of every middleware, and it ends after them.
 */
export const annotating = <R>(
  plan: Plan,
  data: Effect.Effect<HashMap.HashMap<string, unknown>, never, R>
): Effect.Effect<void, never, R> => {
  const keys = shown(plan, "span")
  return keys.length === 0 ? Effect.void : Effect.flatMap(
    Effect.option(Effect.currentSpan),
    (span) =>
      Option.isNone(span) ? Effect.void : Effect.map(data, (entries) => {
        for (const { key, name } of keys) {
          const value = Option.getOrUndefined(HashMap.get(entries, key))
          if (value !== undefined) {
            span.value.attribute(name, value)
          }
        }
      })
  )
}
