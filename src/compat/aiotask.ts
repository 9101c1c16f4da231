/**
 * aiotask-context, the Python library: one global context, a dict that the running task has.
 *
 * - **A task is a fiber or a promise task**, and an async function that is awaited and not forked is the same task.
 * - **What a child gets** is up to the task factory that its root was started with: the parent's very map
 *   ({@link taskFactory}, the default), a deep copy ({@link copyingTaskFactory}), or a layer of its own over the parent's
 *   current entries ({@link chainmapTaskFactory}).
 * - **Roots.** {@link run} starts one. A fiber under `compat.layer` that no task started, and `context.run` outside every
 *   task, are roots too. A `ManagedRuntime` or a server runs each request as a root, as long as no task above it has used
 *   the context or forked; give each request a `run` of its own to be independent of that.
 * - **Joins** bring nothing: what is shared is shared already.
 *
 * @see https://github.com/Skyscanner/aiotask-context
 * @since 1.0.0
 * @module
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { ForkError } from "../errors.js"
import { invalidArgument } from "../internal/argument.js"
import { deepClone } from "../internal/clone.js"
import { withFiber } from "../internal/effect3/fiber.js"
import { makeMapRef } from "../internal/effect3/refs.js"
import type { Entries } from "../internal/map/entries.js"
import { changed, getEntry, type Holder } from "../internal/map/held.js"
import { remarked, startOf } from "../internal/map/mark.js"
import type { Definition, Region, Strategy } from "../internal/map/region.js"
import { makeRegion } from "../internal/map/region.js"
import { followJoin } from "../internal/region/followers.js"
import { ownBeforeWrite, runners } from "../internal/task/access.js"
import { startTask } from "../internal/task/child.js"
import { currentOrThrow, runIn } from "../internal/task/current.js"
import { noteStarts } from "../internal/task/defaults.js"
import * as locals from "../internal/task/local.js"
import type { Runner } from "../internal/task/task.js"

const id = "aiocontext/compat/aiotask"

const fromParent = (parent: Entries): Entries =>
  HashMap.map(parent, (value, key) => {
    try {
      return deepClone(value)
    } catch (cause) {
      throw new ForkError({ context: id, key, cause })
    }
  })

// -----------------------------------------------------------------------------------------------------------------
// task factories
// -----------------------------------------------------------------------------------------------------------------

/**
 * How the tasks below a root get their map.
 *
 * @since 1.0.0
 * @category models
 */
export interface TaskFactory {
  readonly name: string
  /** @internal */
  readonly definition: Definition
}

const makeFactory = (name: string, fork: Strategy): TaskFactory => ({
  name,
  definition: { key: id, fork, join: "isolate" }
})

/**
 * Children share their parent's map, whoever writes. O(1). The default.
 *
 * @since 1.0.0
 * @category tasks
 */
export const taskFactory: TaskFactory = makeFactory("taskFactory", "share")

/**
 * Children start with a deep copy of their parent's map, O(n). Functions are kept as they are and instances keep their
 * class; a value that cannot be copied (a promise, say) fails the fork with a `ForkError` that names its key.
 *
 * @since 1.0.0
 * @category tasks
 */
export const copyingTaskFactory: TaskFactory = makeFactory("copyingTaskFactory", fromParent)

/**
 * Children read their own entries, and their parent's current ones behind them; `clear` removes a child's own. The fork is
 * O(1). As Python's `ChainMap.new_child`.
 *
 * @since 1.0.0
 * @category tasks
 */
export const chainmapTaskFactory: TaskFactory = makeFactory("chainmapTaskFactory", "chain")

const factories: ReadonlyArray<unknown> = [taskFactory, copyingTaskFactory, chainmapTaskFactory]

// -----------------------------------------------------------------------------------------------------------------
// the context
// -----------------------------------------------------------------------------------------------------------------

const makeRoot = ({ definition }: TaskFactory): Region =>
  makeRegion({ definition, seed: HashMap.empty(), kind: "provide", tag: undefined })

// A task that has no root of its own yet becomes one before it starts a child, so that both share a map from the start.
const roots = locals.makeLocal<Region | undefined>(id, undefined, {
  fork: (root) => root,
  seed: () => makeRoot(taskFactory)
})

// the strategy is set when the program runs
const maps = makeMapRef(id, { hasStart: true, onJoin: followJoin })

/** The map of a task below a root. */
const holderOf = (runner: Runner, root: Region): Holder => ({
  ...runners.holderOf(runner, { definition: root.definition, ref: maps }),
  value: locals.valueIn(runner, maps),
  service: root
})

const modify = (operation: string, change: (own: Entries) => Entries): void => {
  const runner = currentOrThrow(operation)
  ownBeforeWrite(runner)
  let root = locals.valueIn(runner, roots)
  if (root === undefined) {
    root = makeRoot(taskFactory)
    locals.writeIn(runner, roots, root)
  }
  const next = changed(holderOf(runner, root), root.definition, change)
  if (next !== undefined) {
    locals.writeIn(runner, maps, next)
  }
}

/**
 * The value of a key; the fallback, or `undefined`, where it is absent. A stored `undefined` is present.
 *
 * O(log n), and O(depth of the nesting) under {@link chainmapTaskFactory}. Throws `NoTaskError` outside every task.
 *
 * @since 1.0.0
 * @category entries
 */
export const get: {
  <A = unknown>(key: string): A | undefined
  <A = unknown>(key: string, fallback: A): A
} = <A>(key: string, fallback?: A): A | undefined => {
  const runner = currentOrThrow(`aiotask.get(${JSON.stringify(checkedKey("get", key))})`)
  const root = locals.valueIn(runner, roots)
  return root === undefined
    ? fallback
    : Option.getOrElse(getEntry(holderOf(runner, root), key), () => fallback) as A | undefined
}

/**
 * Sets a key in the running task's map. Throws `NoTaskError` outside every task.
 *
 * @since 1.0.0
 * @category entries
 */
export const set = (key: string, value: unknown): void =>
  modify(`aiotask.set(${JSON.stringify(checkedKey("set", key))}, value)`, HashMap.set(key, value))

/**
 * Removes all entries: those of all tasks that share the map, or under {@link chainmapTaskFactory} the task's own, so that
 * its parent's show again. Throws `NoTaskError` outside every task.
 *
 * @since 1.0.0
 * @category entries
 */
export const clear = (): void => modify("aiotask.clear()", (own) => HashMap.filter(own, () => false))

const checkedKey = (operation: string, key: unknown): string => {
  if (typeof key !== "string") {
    throw invalidArgument(`aiotask.${operation} takes a key, a string, as in "request_id"`, key)
  }
  return key
}

// -----------------------------------------------------------------------------------------------------------------
// root tasks
// -----------------------------------------------------------------------------------------------------------------

/**
 * Runs code as a root task: its map is empty, also inside another task, and `factory` holds for all tasks below it, fibers
 * too. It gives what the code gives. Other contexts go on as in any child task.
 *
 * Given an effect it gives one that runs as such a root, with an empty map at each run.
 *
 * @example
 * ```ts
 * import { compat } from "aiocontext"
 * import * as aiotask from "aiocontext/compat/aiotask"
 *
 * await aiotask.run(async () => {
 *   aiotask.set("status", "RUNNING")
 *   await compat.fork(async () => aiotask.set("status", "DONE"))
 *   console.log(aiotask.get("status")) // => DONE
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const run: {
  <A>(f: () => A, factory?: TaskFactory): A
  <A, E, R>(effect: Effect.Effect<A, E, R>, factory?: TaskFactory): Effect.Effect<A, E, R>
} = (code: (() => unknown) | Effect.Effect<unknown, unknown, unknown>, factory: TaskFactory = taskFactory): any => {
  if (!factories.includes(factory)) {
    throw invalidArgument(
      "aiotask.run takes taskFactory, copyingTaskFactory or chainmapTaskFactory as its factory",
      factory
    )
  }
  if (typeof code === "function") {
    noteStarts()
    const root = makeRoot(factory)
    const task = startTask()
    locals.writeIn(task, roots, root)
    locals.writeIn(task, maps, mapOf(root, task.owner))
    return runIn(task, code)
  }
  if (Effect.isEffect(code)) {
    return withFiber((fiber) => {
      const root = makeRoot(factory)
      return code.pipe(Effect.locally(maps, mapOf(root, fiber.id())), Effect.locally(roots, root))
    })
  }
  throw invalidArgument("aiotask.run takes a function or an effect, as in aiotask.run(async () => { … })", code)
}

const mapOf = (root: Region, owner: object): Entries => remarked(root.seed, startOf(root, owner))
