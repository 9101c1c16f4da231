/**
 * What a task has, read and written.
 */
import { setState } from "../effect3/fiber.js"
import { locals, mapRefs } from "../effect3/refs.js"
import type { Change, Ref, State } from "../effect3/state.js"
import { alone, serviceOf, taskId, valueOf, withStacks } from "../effect3/state.js"
import type { Entries } from "../map/entries.js"
import { detach } from "../map/fork.js"
import type { Region } from "../map/region.js"
import type { Access } from "../region/context.js"
import { fibers } from "../region/fibers.js"
import { followed, type Self, selfOfFiber } from "../region/followers.js"
import { wholeOf } from "./current.js"
import { afterFiberWrite } from "./step.js"
import type { FiberSource, Runner, Whole } from "./task.js"
import { stateNow, type Task } from "./task.js"

/** Who a task is, for its maps. */
export const selfOfTask = (task: Whole): Self => {
  const { fiber } = task
  return fiber === undefined
    ? { id: taskId, owner: (task as Task).owner, writer: task }
    : selfOfFiber(fiber)
}

/** Where left-over code is from: that of a fiber which has gone on, until it writes. */
const sourceOf = (task: Whole): FiberSource | undefined =>
  task._tag === "Task" && task.fiber === undefined ? task.source : undefined

/** Whether this is left-over code that has not written yet. */
export const isLeftOver = (runner: Runner): boolean => sourceOf(wholeOf(runner)) !== undefined

/** Gives left-over code a state of its own, before it writes. */
export const ownBeforeWrite = (runner: Runner): void => {
  const task = wholeOf(runner)
  const source = sourceOf(task)
  if (source === undefined) {
    return
  }
  const own = task as Task
  own.source = undefined
  own.owner = {}
  own.state = detached(own)
  if (source.task === own) {
    // the fiber's next lines must not start code in a task that is no longer the fiber's
    source.state = undefined
  }
}

/** The state of code that goes on beside its task, with layers of its own where the task's are linked. */
const detached = (task: Task): State => {
  const changes: Array<Change> = []
  for (const [ref, [[, value]]] of task.state.locals) {
    const own: unknown = mapRefs.has(ref)
      ? detach(value as Entries, task.owner, task)
      : locals.get(ref)?.(value) ?? value
    if (own !== value) {
      changes.push([ref, [[taskId, own]]])
    }
  }
  return changes.length === 0 ? task.state : withStacks(task.state, changes)
}

/** Replaces the state of a task. Left-over code must have one of its own. */
export const replaceState = (runner: Runner, state: State): void => {
  const task = wholeOf(runner)
  const { fiber } = task
  if (fiber === undefined) {
    ;(task as Task).state = state
    return
  }
  setState(fiber, state)
  afterFiberWrite(fiber, runner)
}

/** The value of a ref in a task. */
export const readRef = <A>(runner: Runner, ref: Ref<A>): A => valueOf(stateNow(wholeOf(runner)), ref)

/** Writes a ref in a task. Left-over code must have a state of its own. */
export const writeRef = <A>(runner: Runner, ref: Ref<A>, value: A): void => {
  const task = wholeOf(runner)
  const before = stateNow(task)
  const self = selfOfTask(task)
  replaceState(runner, followed(before, withStacks(before, [alone(ref, value, self.id)]), self))
}

/** How what runs promise code has the maps of contexts. */
export const runners: Access<Runner> = {
  holderOf: (runner, spec) => {
    const task = wholeOf(runner)
    if (task.fiber !== undefined) {
      return fibers.holderOf(task.fiber, spec)
    }
    const { owner, writer } = selfOfTask(task)
    const { state } = task as Task
    return {
      value: valueOf(state, spec.ref),
      service: serviceOf(state, spec.definition.key) as Region | undefined,
      owner,
      writer
    }
  },
  write: writeRef
}
