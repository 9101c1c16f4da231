/**
 * What is done where a child starts. Under `chain` its parent gets a layer for the child to read. Under `deepCopy`, and where
 * the fork is a function, the child's map is made.
 *
 * An error that is thrown inside of Effect's own fork leaves the program waiting. So this is done just after it, and where it
 * fails, the child fails at its start. A fiber that its parent does not wait for fails where it first uses the
 * map, and its children fail at their start.
 */
import type { AnyFiber, Id } from "../effect3/fiber.js"
import { failAtStart, setState, stateOf } from "../effect3/fiber.js"
import { forkState, isOurs, mapRefs, startRefs } from "../effect3/refs.js"
import type { Change, State } from "../effect3/state.js"
import { serviceOf, valueOf, withStacks } from "../effect3/state.js"
import { StartSupervisor, supervised } from "../effect3/supervisor.js"
import { globalValue } from "../global.js"
import { absent, type Entries } from "../map/entries.js"
import type { Holder } from "../map/held.js"
import { inForce, readied, withLayer } from "../map/held.js"
import { markOf } from "../map/mark.js"
import type { Definition, Region } from "../map/region.js"
import { hasStart } from "../map/region.js"
import { type Self, selfOfFiber } from "./followers.js"

/** A state, with what `f` makes of the maps of contexts whose children need it. */
const withMaps = (
  state: State,
  { id, owner, writer }: Self,
  f: (holder: Holder, definition: Definition) => Entries
): State => {
  const changes: Array<Change> = []
  for (const ref of startRefs) {
    const value = valueOf(state, ref)
    const definition = markOf(value)?.region.definition
    if (definition !== undefined && hasStart(definition)) {
      const service = serviceOf(state, definition.key) as Region | undefined
      const holder: Holder = { value, service, owner, writer }
      const next = inForce(value, service) === absent ? value : f(holder, definition)
      if (next !== value) {
        changes.push([ref, [[id, next]]])
      }
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}

/** The state of a task that is about to start, with the maps that are its own. Throws a `ForkError` where one cannot be made. */
export const startedState = (state: State, self: Self): State => withMaps(state, self, readied)

/** The state of a task that is about to start a child, with what the child reads of it. */
export const parentState = (state: State, self: Self): State =>
  withMaps(
    state,
    self,
    (holder, definition) => definition.fork === "chain" ? withLayer(holder, definition) : holder.value
  )

/** Gives a parent what its child is to read of it, and the child the value that it has then. */
const linkToParent = (fiber: AnyFiber, parent: AnyFiber): void => {
  const before = stateOf(parent)
  const linked = parentState(before, selfOfFiber(parent))
  if (linked === before) {
    return
  }
  setState(parent, linked)
  const changes: Array<Change> = []
  for (const [ref, stack] of forkState(linked).locals) {
    if (stack !== before.locals.get(ref) && mapRefs.has(ref)) {
      changes.push([ref, stack])
    }
  }
  setState(fiber, withStacks(stateOf(fiber), changes))
}

/** Drops what a fiber that is about to start keeps of its parent's values. */
const forgetParent = (fiber: AnyFiber): void => {
  const changes: Array<Change> = []
  for (const [ref, stack] of stateOf(fiber).locals) {
    if (stack.length > 1 && stack[0][0] === fiber.id() && isOurs(ref)) {
      changes.push([ref, [stack[0]]])
    }
  }
  if (changes.length > 0) {
    setState(fiber, withStacks(stateOf(fiber), changes))
  }
}

/** Gives a fiber that is about to start its own maps; has it fail where one cannot be made. */
export const startFiber = (fiber: AnyFiber, parent: AnyFiber | undefined): void => {
  forgetParent(fiber)
  if (parent !== undefined) {
    linkToParent(fiber, parent)
  }
  const state = stateOf(fiber)
  try {
    const started = startedState(state, selfOfFiber(fiber))
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
