/**
 * The maps of fibers.
 */
import type { AnyFiber } from "../effect3/fiber.js"
import { serviceOfFiber, setState, stateOf } from "../effect3/fiber.js"
import type { Change, State } from "../effect3/state.js"
import { alone, valueOf, withStacks } from "../effect3/state.js"
import { absent } from "../map/entries.js"
import { hasMap } from "../map/held.js"
import type { Region } from "../map/region.js"
import { ambientValue } from "./ambient.js"
import type { Access } from "./context.js"
import { followed, selfOfFiber } from "./followers.js"

/** The service of a context in a fiber. */
export const regionServiceOf = (fiber: AnyFiber, key: string): Region | undefined =>
  serviceOfFiber(fiber, key) as Region | undefined

/** Changes what some refs of a fiber hold, and what follows their maps. */
export const change = (fiber: AnyFiber, changes: ReadonlyArray<Change>): void => {
  const before: State = stateOf(fiber)
  setState(fiber, followed(before, withStacks(before, changes), selfOfFiber(fiber)))
}

/** How fibers have the maps of contexts. */
export const fibers: Access<AnyFiber> = {
  holderOf: (fiber, { definition, ref }) => {
    const value = valueOf(stateOf(fiber), ref)
    const service = regionServiceOf(fiber, definition.key)
    return {
      // where the run has no map of its own, it has that of the task that started it
      value: value === absent && !hasMap(service) ? ambientValue(fiber, ref) : value,
      service,
      owner: fiber.id(),
      writer: fiber
    }
  },
  write: (fiber, ref, value) => change(fiber, [alone(ref, value, fiber.id())])
}
