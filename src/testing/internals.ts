/**
 * All that the kit takes from the inside of the library. When the inside changes, this is the file to mend.
 */
import * as async from "#async"
import type * as Fiber from "effect/Fiber"
import type * as Context from "../Context.js"
import type { AsyncContext, Storage } from "../internal/async/types.js"
import * as fibers from "../internal/effect3/fiber.js"
import { emptyState } from "../internal/effect3/state.js"
import { type Entries, fromInput } from "../internal/map/entries.js"
import { allEntries } from "../internal/map/held.js"
import { attachedTo } from "../internal/region/attached.js"
import { specOf } from "../internal/region/context.js"
import * as regions from "../internal/region/fibers.js"
import { attachedState, makeTask as makeTaskWith, stateForChild } from "../internal/task/child.js"
import * as current from "../internal/task/current.js"
import * as tasks from "../internal/task/task.js"

export type { AsyncContext, Entries }

/** A running or finished fiber. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** A task of promise code. */
export type Task = tasks.Task

/** The async context of this moment. */
export const capture: () => AsyncContext = async.capture

/** A value that follows the async context. */
export const makeStorage: <A>() => Storage<A> = async.makeStorage

/** Runs a function in an async context of its own, in which no storage has a value. */
export const inEmptyContext = <A>(f: () => A): A =>
  // on Node 20 the context itself keeps what code enters that runs in it, so each gets a fresh one
  async.root.runInAsyncScope(async.capture).runInAsyncScope(f)

/** The fiber that runs this code, if one does. */
export const currentFiber: () => AnyFiber | undefined = fibers.currentFiber

/** What a fiber has in its fiber refs, as one value: another one after each change. */
export const stateOf: (fiber: AnyFiber) => unknown = fibers.stateOf

/** The maps of a fiber, by the key of their context. */
export const mapsOf = (fiber: AnyFiber): ReadonlyMap<string, Entries> =>
  new Map(
    attachedTo(fiber).map(({ definition, tag }) => {
      const { ref } = specOf("isolationTest", tag as never)
      return [definition.key, allEntries(regions.fibers.holderOf(fiber, { definition, ref }))]
    })
  )

/** A task in which a context is attached. */
export const makeTask = <Self, Id extends string, Shape, Seed = Shape>(
  operation: string,
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  entries: Seed
): Task => {
  const task = new tasks.Task(emptyState)
  const seed = fromInput(operation, entries)
  task.state = attachedState(emptyState, { spec: specOf(operation, tag), seed, tag }, task)
  return task
}

/** A child of a task. */
export const forkTask = (task: Task): Task => makeTaskWith(stateForChild(task))

/** Runs a function in a task. */
export const runIn: <A>(task: Task, f: () => A) => A = current.runIn
