/**
 * Child tasks: what they start with, and what they hand back.
 */
import { forkState, mapRefs, startRefs } from "../effect3/refs.js"
import { emptyState, type State, taskId, withService, withStacks } from "../effect3/state.js"
import type { Entries } from "../map/entries.js"
import { received } from "../map/join.js"
import { markOf, remarked, startOf } from "../map/mark.js"
import { isMerging, makeRegion, type Region } from "../map/region.js"
import { withAmbient } from "../region/ambient.js"
import type { Attaching } from "../region/provide.js"
import { parentState, startedState } from "../region/start.js"
import { ownBeforeWrite, replaceState, runners, selfOfTask, writeRef } from "./access.js"
import { locate, wholeOf } from "./current.js"
import { stateOfParent } from "./local.js"
import type { Runner } from "./task.js"
import { stateNow, Task } from "./task.js"

/** Under `chain`: gives a task what its children are to read of it. */
const linkToChildren = (runner: Runner): void => {
  if (startRefs.size === 0) {
    // no context of the process does anything where a child starts
    return
  }
  const task = wholeOf(runner)
  const state = stateNow(task)
  const linked = parentState(state, selfOfTask(task))
  if (linked !== state) {
    ownBeforeWrite(runner)
    replaceState(runner, parentState(stateNow(task), selfOfTask(task)))
  }
}

/** The state of a task, for a child to start from. */
export const stateForChild = (runner: Runner): State => {
  linkToChildren(runner)
  const state = stateOfParent(runner)
  const { fiber } = wholeOf(runner)
  return forkState(fiber === undefined ? state : withAmbient(state, fiber))
}

/** The same of what runs this code: outside every task, of a task that has what the program has. */
export const childState = (): State => {
  const runner = locate()
  return runner === undefined ? emptyState : stateForChild(runner)
}

/** The state that a task starts with, with maps of its own. Throws a `ForkError` where one cannot be made. */
export const startedStateOf = (task: Task, state: State): State =>
  startRefs.size === 0 ? state : startedState(state, { id: taskId, owner: task.owner, writer: task })

/** A state of a task in which a context is attached. */
export const attachedState = (state: State, { seed, spec: { definition, ref }, tag }: Attaching, task: Task): State => {
  const region = makeRegion({ definition, seed, kind: "provide", tag })
  return withStacks(state, [
    [ref, [[taskId, remarked(seed, startOf(region, task.owner))]]],
    withService(state, definition.key, region, taskId)
  ])
}

/** Makes a promise task. Throws a `ForkError` where a map of its own cannot be made. */
export const makeTask = (state: State): Task => {
  const task = new Task(state)
  task.state = startedStateOf(task, state)
  return task
}

/** A child of the running task; a task of its own where none is known. */
export const startTask = (): Task => makeTask(childState())

const isMergingRegion = (region: Region | undefined): region is Region =>
  region !== undefined && isMerging(region.definition)

/** Whether a state has contexts that merge. */
export const merges = (state: State): boolean =>
  Array.from(state.locals).some(([ref, [[, value]]]) =>
    mapRefs.has(ref) && isMergingRegion(markOf(value as Entries)?.region)
  )

/** Hands on what a child that has succeeded changed in the contexts that merge. */
export const mergeChild = (parent: Runner, child: State): void => {
  for (const [ref, [[, value]]] of child.locals) {
    const region = mapRefs.has(ref) ? markOf(value as Entries)?.region : undefined
    if (isMergingRegion(region)) {
      ownBeforeWrite(parent)
      const holder = runners.holderOf(parent, { definition: region.definition, ref })
      const next = received(holder, value as Entries)
      if (next !== holder.value) {
        writeRef(parent, ref, next)
      }
    }
  }
}
