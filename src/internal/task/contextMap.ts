/**
 * The imperative map of a context: that of the task that runs the call.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { KeyNotFoundError } from "../../errors.js"
import { checkFunction } from "../argument.js"
import type { Bag, Entries } from "../map/entries.js"
import { bagFromInput, checkKey, fromInput, fromObject } from "../map/entries.js"
import { allEntries, type Change, getEntry, type Holder } from "../map/held.js"
import { isLinked } from "../map/region.js"
import type { ContextSpec } from "../region/context.js"
import { clear, mapIn, remove } from "../region/context.js"
import { ownBeforeWrite, runners } from "./access.js"
import { currentCache, remember, setCached, startWith } from "./cache.js"
import { attachedState, childState, makeTask, startedStateOf, stateForChild } from "./child.js"
import { currentOrThrow, locate, runIn } from "./current.js"
import { noteStarts } from "./defaults.js"
import type { Runner } from "./task.js"
import { Task } from "./task.js"

/** The map of a context, and what gives the running task to those of its members that run effects. */
export interface MadeMap {
  readonly map: object
  readonly runnerAt: (operation: string) => Runner
}

/** Makes the members of the map, but those that run effects. Their types are those of `compat.ContextMap`. */
export const makeMap = (spec: ContextSpec, tag: unknown): MadeMap => {
  const { definition, ref } = spec
  const id = definition.key
  const { isAttached, modify, notAttached, open, peek } = mapIn(spec, runners)

  const notAttachedTo = (runner: Runner, operation: string) => notAttached(runner, `context.${operation}`)

  /** The running task. Throws where there is none, or the context is not attached to it. */
  const runnerAt = (operation: string): Runner => {
    const runner = currentOrThrow(`context.${operation}`)
    if (!isAttached(runner)) {
      throw notAttachedTo(runner, operation)
    }
    return runner
  }

  /** The map of a running task. Throws where the context is not attached to it. */
  const openIn = (runner: Runner, operation: string): Holder => {
    const map = open(runner)
    if (map === undefined) {
      throw notAttachedTo(runner, operation)
    }
    return map
  }

  /** The map of the running task. */
  const openAt = (operation: string): Holder => openIn(currentOrThrow(`context.${operation}`), operation)

  const changeAt = (operation: string, change: Change): boolean => {
    const runner = currentOrThrow(`context.${operation}`)
    ownBeforeWrite(runner)
    return modify(runner, openIn(runner, operation), change)
  }

  const allAt = (operation: string): Entries => allEntries(openAt(operation))

  const entries = (): IterableIterator<[string, unknown]> => HashMap.entries(allAt("entries"))

  /** Reads a key, and keeps it for the next read where the map is the task's alone. */
  const read = (
    runner: Runner,
    map: Holder,
    { fallback, key }: { readonly key: string; readonly fallback: unknown }
  ) => {
    const found = getEntry(map, key)
    if (found._tag === "None") {
      return fallback
    }
    if (runner._tag === "Task" && !isLinked(definition)) {
      remember(runner, ref, key, found.value)
    }
    return found.value
  }

  const flush = (task: Task, bag: Bag): void => {
    modify(task, open(task)!, HashMap.union(fromObject(bag)))
  }

  /** Runs code as a task of its own, attached to the context with these entries. */
  const runWithSeed = <A>(bag: Bag, f: () => A): A => {
    noteStarts()
    const task: Task = new Task(() => attachedState(state, { spec, seed: fromObject(bag), tag }, task))
    const state = startedStateOf(task, childState())
    if (!isLinked(definition)) {
      startWith(task, ref, bag)
    }
    return runIn(task, f)
  }

  // in an object that has accessors of its own, the JavaScript engine looks up each member by its name
  const accessors = {
    get attached() {
      const runner = locate()
      return runner !== undefined && isAttached(runner)
    },
    get size() {
      return HashMap.size(allAt("size"))
    }
  }

  const members = {
    get(key: string, fallback?: unknown) {
      checkKey("context.get", key)
      const cache = currentCache(ref)
      if (cache !== undefined) {
        const value = cache.bag[key]
        if (value !== undefined || key in cache.bag) {
          return value
        }
        if (cache.isWhole) {
          return fallback
        }
      }
      const runner = currentOrThrow("context.get")
      return read(runner, openIn(runner, "get"), { key, fallback })
    },
    getOrThrow(key: string) {
      checkKey("context.getOrThrow", key)
      return Option.getOrThrowWith(
        getEntry(openAt("getOrThrow"), key),
        () => new KeyNotFoundError({ context: id, key })
      )
    },
    peek(key: string, fallback?: unknown) {
      const cached = currentCache(ref)
      if (cached !== undefined && typeof key === "string" && key in cached.bag) {
        return cached.bag[key]
      }
      const runner = locate()
      const map = runner && peek(runner)
      return map === undefined || typeof key !== "string" ? fallback : read(runner!, map, { key, fallback })
    },
    set(key: string, value: unknown) {
      checkKey("context.set", key)
      if (!setCached(ref, { key, value }, flush)) {
        changeAt("set", HashMap.set(key, value))
      }
    },
    has(key: string) {
      checkKey("context.has", key)
      return Option.isSome(getEntry(openAt("has"), key))
    },
    delete(key: string) {
      checkKey("context.delete", key)
      return changeAt("delete", remove(key))
    },
    clear() {
      changeAt("clear", clear(spec))
    },
    keys: () => HashMap.keys(allAt("keys")),
    values: () => HashMap.values(allAt("values")),
    entries,
    [Symbol.iterator]: entries,
    forEach: (f: (value: unknown, key: string) => void) => {
      checkFunction("context.forEach", f)
      HashMap.forEach(allAt("forEach"), f)
    },
    toObject: () => Object.fromEntries(allAt("toObject")),
    run<A>(entries: object, f: () => A): A {
      checkFunction("context.run", f, "context.run({ … }, () => { … })")
      return runWithSeed(bagFromInput("context.run", entries, definition.seed), f)
    },
    locally<A>(entries: object, f: () => A): A {
      checkFunction("context.locally", f, "context.locally({ … }, () => { … })")
      const added = fromInput("context.locally", entries)
      const child = makeTask(stateForChild(runnerAt("locally")))
      modify(child, open(child)!, HashMap.union(added))
      return runIn(child, f)
    }
  }
  return { map: Object.assign(Object.create(accessors) as typeof accessors, members), runnerAt }
}
