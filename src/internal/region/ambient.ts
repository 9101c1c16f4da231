/**
 * The ambient maps of a run: those of the task that started it.
 *
 * A run that is started in a task is its child, also where it is started with a runtime that knows nothing of the task. Its
 * fibers have the maps of that task beside their fiber refs, and not in them: a runtime that is built in such a run must not
 * take a request's map along.
 */
import type { AnyFiber } from "../effect3/fiber.js"
import type { MapRef } from "../effect3/refs.js"
import { mapRefs } from "../effect3/refs.js"
import type { Change, State } from "../effect3/state.js"
import { emptyState, withStacks } from "../effect3/state.js"
import { absent, type Entries } from "../map/entries.js"

// On the fiber itself: with a `WeakMap` the collector would spend more on a short fiber than the bridge does.
const AmbientId: unique symbol = Symbol.for("aiocontext/ambient")

interface WithAmbient {
  [AmbientId]?: State | undefined
}

/** What a run has of the task that started it. */
export const ambientOf = (fiber: AnyFiber): State | undefined => (fiber as WithAmbient)[AmbientId]

/** Gives a fiber the maps of the task that started its run. */
export const setAmbient = (fiber: AnyFiber, state: State | undefined): void => {
  if (state !== undefined || AmbientId in fiber) {
    ;(fiber as WithAmbient)[AmbientId] = state
  }
}

/** The maps among the state of a child task; none where there is none. */
export const ambientFrom = (state: State): State | undefined => {
  const changes: Array<Change> = []
  for (const [ref, stack] of state.locals) {
    if (mapRefs.has(ref)) {
      changes.push([ref, stack])
    }
  }
  return changes.length === 0 ? undefined : withStacks(emptyState, changes)
}

/** The value that a fiber's run has of a map; `absent` where there is none. */
export const ambientValue = (fiber: AnyFiber, ref: MapRef): Entries => {
  const stack = ambientOf(fiber)?.locals.get(ref)
  return stack === undefined ? absent : stack[0][1] as Entries
}

/** A state with the maps of its run where it has none of its own. */
export const withAmbient = (state: State, fiber: AnyFiber): State => {
  const changes: Array<Change> = []
  for (const [ref, stack] of ambientOf(fiber)?.locals ?? []) {
    if (!state.locals.has(ref)) {
      changes.push([ref, stack])
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}
