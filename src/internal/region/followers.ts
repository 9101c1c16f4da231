/**
 * What follows the maps of a task: whatever changes a context's map in a state changes, in that state, what follows the map.
 */
import type { AnyFiber, Id } from "../effect3/fiber.js"
import { changeNextState, stateOf } from "../effect3/fiber.js"
import type { Ref, State } from "../effect3/state.js"
import { makeRef, valueOf } from "../effect3/state.js"
import { globalValue } from "../global.js"
import type { Holder } from "../map/held.js"

/** Who has a state. */
export type Self = Pick<Holder, "owner" | "writer"> & { readonly id: Id }

/** Who a fiber is, for its maps. */
export const selfOfFiber = (fiber: AnyFiber): Self => ({ id: fiber.id(), owner: fiber.id(), writer: fiber })

/** Something that follows maps. A layer adds it. */
export interface Follower {
  /** Its layer is gone. */
  closed: boolean
  /** Gives `state` with what follows the change of maps from `before` to `state`. */
  readonly follow: (before: State, state: State, self: Self) => State
}

/** What follows the maps of a task. */
export const followers: Ref<ReadonlyArray<Follower>> = /* @__PURE__ */ globalValue(
  "aiocontext/followers",
  () => makeRef<ReadonlyArray<Follower>>([])
)

/** A state that another one became, with what follows its maps. */
export const followed = (before: State, after: State, self: Self): State =>
  valueOf(before, followers).reduce(
    (state, follower) => follower.closed ? state : follower.follow(before, state, self),
    after
  )

/** A join is changing the maps of a fiber: what follows them is to follow. */
export const followJoin = (fiber: AnyFiber): void => {
  const before = stateOf(fiber)
  if (valueOf(before, followers).length > 0) {
    changeNextState(fiber, (after) => followed(before, after, selfOfFiber(fiber)))
  }
}
