/**
 * The entries that travel, of the map where an effect runs; and what a request brought besides them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RawMember } from "./members.js"
import type { Plan } from "./plan.js"

/** A context that may be attached or not. */
export interface Peekable {
  readonly key: string
  readonly peek: (key: never) => Effect.Effect<Option.Option<unknown>>
}

/** Reads a key. */
export type Read = (key: string) => unknown

/** How the keys that travel are read, as they are now: nothing where the context is not attached. */
export const readHere = ({ peek }: Peekable, { wire }: Plan): Effect.Effect<Read> =>
  Effect.map(
    Effect.forEach(wire, ({ key }) => Effect.map(peek(key as never), (value) => [key, value] as const)),
    (all) => {
      const entries = new Map(all)
      return (key) => Option.getOrUndefined(entries.get(key) ?? Option.none())
    }
  )

/** The baggage of a request that is no context's, for the requests that are made while it is handled. */
export const Passthrough: Context.Tag<"aiocontext/Passthrough", ReadonlyArray<RawMember>> = /* @__PURE__ */ Context
  .GenericTag("aiocontext/Passthrough")

/** What the request that is handled here brought besides. */
export const othersHere: Effect.Effect<ReadonlyArray<RawMember>> = /* @__PURE__ */ Effect.map(
  /* @__PURE__ */ Effect.serviceOption(Passthrough),
  /* @__PURE__ */ Option.getOrElse(() => [])
)
