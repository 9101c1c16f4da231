/**
 * Task-local values beside the context maps: what the other systems of the field are made of.
 */
import type { AnyFiber, Id } from "../effect3/fiber.js"
import { setState, stateOf } from "../effect3/fiber.js"
import type { Local } from "../effect3/refs.js"
import { makeLocalRef } from "../effect3/refs.js"
import type { AnyRef, Change, State } from "../effect3/state.js"
import { alone, forkValue, initialOf, taskId, valueOf, withStacks } from "../effect3/state.js"
import { globalValue } from "../global.js"
import { ownBeforeWrite, readRef, replaceState, writeRef } from "./access.js"
import { captureTask, runIn, wholeOf } from "./current.js"
import { reenterStep } from "./step.js"
import type { Runner } from "./task.js"
import { shared, stateNow, TaskPart } from "./task.js"

/** How the value of a local goes on in other tasks. Joins leave the parent's as it is. */
export interface LocalOptions<A> {
  /** The value of a child task, given its parent's. */
  readonly fork: (value: A) => A
  /** The value of code that goes on beside its task. Default: the task's. */
  readonly detach?: (value: A) => A
  /** The value of a task that has none when it starts a child, for both to have. Default: the child has none either. */
  readonly seed?: () => A
  /**
   * The value of a fiber without a parent, given what it was started with and the value of the code that started it: a
   * task's (`inTask`), or the program's. Default: what it was started with.
   */
  readonly inherit?: (own: A, outer: A, inTask: boolean) => A
  /** Whether a value is what some fiber was started with: the fiber of a run keeps its own. Default: it is not. */
  readonly isInherited?: (value: A) => boolean
}

const options = /* @__PURE__ */ globalValue("aiocontext/locals", () => new Map<AnyRef, LocalOptions<any>>())

/** Makes a task-local value: one a process and id. */
export const makeLocal = <A>(id: string, initial: A, behaviour: LocalOptions<A>): Local<A> => {
  const { detach = (value) => value, fork } = behaviour
  const local = makeLocalRef({ id, initial, fork, detach })
  if (!options.has(local)) {
    options.set(local, behaviour)
  }
  return local
}

// -----------------------------------------------------------------------------------------------------------------
// in a task
// -----------------------------------------------------------------------------------------------------------------

/** The value of a local in a task. */
export const valueIn = <A>(runner: Runner, local: Local<A>): A => {
  const own = runner._tag === "Part" ? runner.values.get(local) : undefined
  return own === undefined ? readRef(runner, local) : own.value as A
}

/** Writes a local in a task. Left-over code must have a state of its own. */
export const writeIn = <A>(runner: Runner, local: Local<A>, value: A): void => {
  const own = runner._tag === "Part" ? runner.values.get(local) : undefined
  if (own === undefined) {
    writeRef(runner, local, value)
  } else {
    own.value = value
  }
}

/** Runs code as a part of a task: with another value of a local, and in all else as that task. */
export const runWith = <A, B>(runner: Runner, { f, local, value }: {
  readonly local: Local<A>
  readonly value: A
  readonly f: () => B
}): B => {
  const values = new Map(runner._tag === "Part" ? runner.values : []).set(local, { value })
  try {
    return runIn(new TaskPart(captureTask(runner, { outlivesStep: false }), values), f)
  } finally {
    reenterStep()
  }
}

// -----------------------------------------------------------------------------------------------------------------
// where tasks start and end
// -----------------------------------------------------------------------------------------------------------------

/** A state in which the locals that a task shares with its children have a value. */
const seeded = (state: State, id: Id): State => {
  const changes: Array<Change> = []
  for (const [local, { seed }] of options) {
    if (seed !== undefined && valueOf(state, local) === initialOf(local)) {
      changes.push([local, [[id, seed()]]])
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}

/** The state of a task that is about to start a child, with the values of its part. */
export const stateOfParent = (runner: Runner): State => {
  const task = wholeOf(runner)
  // not of the program, which is no task: what starts there is apart
  if (task !== shared.outside && seeded(stateNow(task), taskId) !== stateNow(task)) {
    // so that both share what is seeded
    ownBeforeWrite(task)
    replaceState(runner, seeded(stateNow(task), taskId))
  }
  const state = stateNow(task)
  return runner._tag === "Part"
    ? withStacks(state, Array.from(runner.values, ([local, { value }]) => alone(local, value, taskId)))
    : state
}

/** A fiber is about to start a child. */
export const startLocals = (child: AnyFiber, parent: AnyFiber): void => {
  const state = stateOf(parent)
  const ready = seeded(state, parent.id())
  if (ready === state) {
    return
  }
  setState(parent, ready)
  const changes: Array<Change> = []
  for (const [local, { seed }] of options) {
    if (seed !== undefined) {
      changes.push([local, [[taskId, forkValue(local, valueOf(ready, local))]]])
    }
  }
  setState(child, withStacks(stateOf(child), changes))
}

// What a fiber without a parent was started with.
const InheritedId: unique symbol = Symbol.for("aiocontext/inherited")

interface Started {
  [InheritedId]?: ReadonlyMap<AnyRef, unknown>
}

/** A fiber without a parent has what the code that starts it has. */
export const inheritLocals = (fiber: AnyFiber, starter: Runner, { inTask }: { readonly inTask: boolean }): void => {
  const changes: Array<Change> = []
  const values = new Map<AnyRef, unknown>()
  for (const [local, { inherit, isInherited }] of options) {
    if (inherit !== undefined) {
      const own = valueOf(stateOf(fiber), local)
      const value: unknown = inherit(own, valueIn(starter, local), inTask)
      if (value !== own) {
        changes.push(alone(local, value, fiber.id()))
      }
      if (isInherited !== undefined) {
        values.set(local, value)
      }
    }
  }
  if (values.size > 0) {
    ;(fiber as Started)[InheritedId] = values
  }
  if (changes.length > 0) {
    setState(fiber, withStacks(stateOf(fiber), changes))
  }
}

/**
 * Gives a fiber back what it was started with, where a runtime has just given it what the run that built the runtime was started
 * with: a request that waits for a `ManagedRuntime` gets all of its fiber refs.
 */
export const keepInherited = (fiber: AnyFiber): void => {
  const inherited = (fiber as Started)[InheritedId]
  if (inherited === undefined) {
    return
  }
  const changes: Array<Change> = []
  for (const [local, value] of inherited) {
    const now: unknown = valueOf(stateOf(fiber), local)
    if (now !== value && (now === initialOf(local) || options.get(local)!.isInherited!(now))) {
      changes.push(alone(local, value, fiber.id()))
    }
  }
  if (changes.length > 0) {
    setState(fiber, withStacks(stateOf(fiber), changes))
  }
}

/** A fiber has ended. A child that lives on holds its parent: what watches it, in Effect, does. */
export const endLocals = (fiber: AnyFiber): void => {
  const changes: Array<Change> = []
  for (const local of options.keys()) {
    if (stateOf(fiber).locals.has(local)) {
      changes.push([local, undefined])
    }
  }
  if (changes.length > 0) {
    setState(fiber, withStacks(stateOf(fiber), changes))
  }
}
