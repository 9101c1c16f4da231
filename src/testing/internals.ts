/**
 * All that the kit takes from the inside of the library. When the inside changes, this is the file to mend.
 */
import * as async from "#async"
import type * as Fiber from "effect/Fiber"
import type * as Context from "../Context.js"
import type { AsyncContext, Storage } from "../internal/async.js"
import { allEntries, isAttachment, makeAttachment } from "../internal/attachment.js"
import type { Entries } from "../internal/attachment.js"
import * as engine from "../internal/engine.js"
import { fromObject, specOf } from "../internal/spec.js"
import type { Tagged } from "../internal/spec.js"
import * as tasks from "../internal/task.js"

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
export const currentFiber: () => AnyFiber | undefined = engine.currentFiber

/** What a fiber has in its fiber refs, as one value: another one after each change. */
export const stateOf: (fiber: AnyFiber) => unknown = engine.stateOf

/** The maps of a fiber, by the key of their context. */
export const mapsOf = (fiber: AnyFiber): ReadonlyMap<string, Entries> => {
  const maps = new Map<string, Entries>()
  for (const service of engine.servicesOfFiber(fiber)) {
    if (isAttachment(service)) {
      const value = engine.valueOfFiber(fiber, specOf(service.tag as Tagged).ref)
      maps.set(service.definition.key, allEntries(value, service))
    }
  }
  return maps
}

/** A task in which a context is attached. */
export const makeTask = <Self, Id extends string, Shape>(
  operation: string,
  tag: Context.TagClass<Self, Id, Shape>,
  entries: Shape
): Task => {
  const { definition, ref } = specOf(tag as unknown as Tagged)
  const attachment = makeAttachment(definition, fromObject(operation, entries as object), undefined, false, tag)
  return tasks.make(engine.attachState(engine.emptyState, ref, attachment))
}

/** A child of a task. */
export const forkTask = (task: Task): Task => tasks.fork(task)

/** Runs a function in a task. */
export const runIn: <A>(task: Task, f: () => A) => A = tasks.runIn
