/**
 * What a promise task's code has read of a context, beside the map: a read of it is one of a plain object.
 *
 * A task that `context.run` starts has all of its entries here from the start, and what it sets goes here first. The map is
 * made when somebody else asks for the task's state: most tasks end before that (bench: `context.run`, `context.set`).
 */
import { currentFiber, stateOf } from "../effect3/fiber.js"
import type { MapRef } from "../effect3/refs.js"
import type { State } from "../effect3/state.js"
import { type Bag, toBag } from "../map/entries.js"
import { shared, Task } from "./task.js"

/** Some entries of one context in one state. */
export interface ReadCache {
  readonly ref: MapRef
  /** The state that they are of, where the task is live: a fiber's state changes. */
  readonly state: State | undefined
  /** The entries. Not in it can mean not read yet, unless `isWhole`. */
  bag: { [key: string]: unknown }
  readonly isWhole: boolean
  /** Gives the task's map what only the cache has. */
  flush: ((task: Task) => void) | undefined
}

// things are compared with `undefined` here: asked what is truthy, V8 takes a fifth longer in all (bench: `context.get`)
const stateOfWaiting = (task: Task): State | undefined => task.fiber === undefined ? undefined : stateOf(task.fiber)

/** What a task has read of a context, if that is still so. */
export const cacheOf = (task: Task, ref: MapRef): ReadCache | undefined => {
  const { cache } = task
  return cache !== undefined && cache.ref === ref && cache.state === stateOfWaiting(task) ? cache : undefined
}

/** The same for the running code, where it is a promise task's: the shortest way from a key to its value. */
export const currentCache = (ref: MapRef): ReadCache | undefined => {
  const task = shared.storage.getStore()
  return task !== undefined && task._tag === "Task" && currentFiber() === undefined ? cacheOf(task, ref) : undefined
}

/** Keeps an entry that has been read. */
export const remember = (task: Task, ref: MapRef, key: string, value: unknown): void => {
  let cache = cacheOf(task, ref)
  if (cache === undefined) {
    if (task.cache?.flush !== undefined) {
      // the only place that has what it holds
      return
    }
    cache = { ref, state: stateOfWaiting(task), bag: toBag({}) as ReadCache["bag"], isWhole: false, flush: undefined }
    task.cache = cache
  }
  cache.bag[key] = value
}

/** Gives a task the entries that it starts with. */
export const startWith = (task: Task, ref: MapRef, bag: Bag): void => {
  task.cache = { ref, state: undefined, bag, isWhole: true, flush: undefined }
}

/**
 * Sets an entry in the cache of the running code's task alone, where that has all entries and is no fiber's. Tells whether
 * it did. `flush` hands on what only the cache has.
 */
export const setCached = (
  ref: MapRef,
  entry: { readonly key: string; readonly value: unknown },
  flush: (task: Task, bag: Bag) => void
): boolean => {
  const cache = currentCache(ref)
  const task = shared.storage.getStore() as Task
  if (cache === undefined || !cache.isWhole || task.fiber !== undefined || task.source !== undefined) {
    return false
  }
  if (cache.flush === undefined) {
    // what the task was started with is the seed of its region
    cache.bag = toBag(cache.bag) as ReadCache["bag"]
    cache.flush = (task) => {
      cache.flush = undefined
      flush(task, cache.bag)
      // the same entries are in the map now
      task.cache = cache
    }
  }
  cache.bag[entry.key] = entry.value
  return true
}
