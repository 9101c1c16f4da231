/**
 * Children whose map is made when they start: under `deepCopy`, and where the fork is a function.
 *
 * An error that is thrown inside of Effect's own fork leaves the program waiting. So the map is made just after it, and
 * where that fails, the child fails at its start. A fiber that its parent does not wait for fails where it first uses the
 * map, and its children fail at their start.
 */
import type { AnyFiber, Id } from "../effect3/fiber.js"
import { failAtStart, setState, stateOf } from "../effect3/fiber.js"
import { mapRefs } from "../effect3/refs.js"
import type { Change, State } from "../effect3/state.js"
import { serviceOf, withStacks } from "../effect3/state.js"
import { supervised, StartSupervisor } from "../effect3/supervisor.js"
import { globalValue } from "../global.js"
import type { Entries } from "../map/entries.js"
import { absent } from "../map/entries.js"
import type { Holder } from "../map/held.js"
import { inForce, readied } from "../map/held.js"
import { markOf } from "../map/mark.js"
import type { Region } from "../map/region.js"
import { isDerived } from "../map/region.js"

/** The state of a task that is about to start, with the maps that are its own. Throws a `ForkError` where one cannot be made. */
export const startedState = (state: State, { id, owner, writer }: Pick<Holder, "owner" | "writer"> & { id: Id }): State => {
  const changes: Array<Change> = []
  for (const [ref, [[, value]]] of state.locals) {
    const key = mapRefs.get(ref)
    if (key !== undefined) {
      const service = serviceOf(state, key) as Region | undefined
      const region = markOf(inForce(value as Entries, service))?.region
      const own = region === undefined || !isDerived(region.definition)
        ? value
        : readied({ value: value as Entries, service, owner, writer }, region.definition)
      if (own !== value && own !== absent) {
        changes.push([ref, [[id, own]]])
      }
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}

/** Gives a fiber that is about to start its own maps; has it fail where one cannot be made. */
export const startFiber = (fiber: AnyFiber, parent: AnyFiber | undefined): void => {
  const state = stateOf(fiber)
  const id = fiber.id()
  try {
    const started = startedState(state, { id, owner: id, writer: fiber })
    if (started !== state) {
      setState(fiber, started)
    }
  } catch (error) {
    failAtStart(fiber, parent, error)
  }
}

const supervisor = /* @__PURE__ */ globalValue("aiocontext/start", () => new StartSupervisor(startFiber))

/** What a state is to hold for the children of its task to be given their own maps. */
export const withStart = (state: State, id: Id): ReadonlyArray<Change> => supervised(state, supervisor, id)
