/**
 * What the policies of keys make of a map at a fork and at a join.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { ForkError } from "../../errors.js"
import type { JoinKey } from "../map/region.js"
import type { Plan } from "./plan.js"
import type { AnyPolicy } from "./policy.js"

type Entries = HashMap.HashMap<string, unknown>

const forkKey = (fork: AnyPolicy["fork"], value: unknown): Option.Option<unknown> =>
  fork === "drop"
    ? Option.none()
    : fork === "deepCopy"
    ? Option.some(structuredClone(value))
    : typeof fork === "function"
    ? Option.some(fork(value))
    : Option.some(value)

/**
 * What the keys' policies make of the map that the context's own fork gave a child; `undefined` where there are none.
 * O(keys with a policy). Throws a {@link ForkError} that names the key.
 */
export const forkKeys = ({ context, policies }: Plan): ((child: Entries) => Entries) | undefined => {
  const forks = Array.from(policies, ([key, { fork }]) => ({ key, fork }))
    .filter(({ fork }) => fork !== undefined && fork !== "copy")
  return forks.length === 0 ? undefined : (child) =>
    forks.reduce((map, { fork, key }) => {
      const entry = HashMap.get(map, key)
      if (Option.isNone(entry)) {
        return map
      }
      try {
        return HashMap.modifyAt(map, key, () => forkKey(fork, entry.value))
      } catch (cause) {
        throw new ForkError({ context, key, cause })
      }
    }, child)
}

const joinWith = (
  join: AnyPolicy["join"],
  parent: Option.Option<unknown>,
  child: Option.Option<unknown>
): Option.Option<unknown> =>
  join === "isolate"
    ? parent
    : typeof join !== "function"
    ? child
    : Option.isSome(child)
    ? Option.some(join(Option.getOrUndefined(parent), child.value))
    : parent

/** What the keys' policies make of a join, and `join` where a key has none; `undefined` where no key has one. */
export const joinKeys = ({ policies }: Plan, join: "isolate" | "merge" = "isolate"): JoinKey | undefined => {
  const joins = new Map(Array.from(policies, ([key, { join }]) => [key, join] as const).filter(([, join]) => join))
  const other = join === "merge" ? "child" : "isolate"
  return joins.size === 0 ? undefined : (key, parent, child) => joinWith(joins.get(key) ?? other, parent, child)
}
