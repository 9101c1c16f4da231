/**
 * The entries that travel, of the map where an effect runs; and what a request brought besides them.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { type AnyFiber, withFiber } from "../effect3/fiber.js"
import type { Entries } from "../map/entries.js"
import type { RawMember } from "./members.js"

/** A context that may be attached or not. */
export interface Readable {
  readonly key: string
  readonly dataOf: (fiber: AnyFiber) => Effect.Effect<Entries, unknown>
}

/** Reads a key. */
export type Read = (key: string) => unknown

/** How keys are read, as they are now: nothing where the context is not attached. */
export const readHere = ({ dataOf }: Readable): Effect.Effect<Read> =>
  withFiber((fiber) =>
    Effect.match(dataOf(fiber), {
      onFailure: (): Read => () => undefined,
      onSuccess: (entries): Read => (key) => Option.getOrUndefined(HashMap.get(entries, key))
    })
  )

/** The baggage of a request that is no context's, for the requests that are made while it is handled. */
export const Passthrough: Context.Tag<"aiocontext/Passthrough", ReadonlyArray<RawMember>> = /* @__PURE__ */ Context
  .GenericTag("aiocontext/Passthrough")

/** What the request that is handled here brought besides. */
export const othersHere: Effect.Effect<ReadonlyArray<RawMember>> = /* @__PURE__ */ Effect.map(
  /* @__PURE__ */ Effect.serviceOption(Passthrough),
  /* @__PURE__ */ Option.getOrElse(() => [])
)
