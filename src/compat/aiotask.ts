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
 * @module
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { ForkError } from "../errors.js"
import * as attachments from "../internal/attachment.js"
import { deepClone } from "../internal/clone.js"
import * as engine from "../internal/engine.js"
import * as locals from "../internal/local.js"
import * as tasks from "../internal/task.js"

const id = "aiocontext/compat/aiotask"

const fromParent: attachments.Fork = (parent) =>
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

/** How the tasks below a root get their map. */
export interface TaskFactory {
  readonly name: string
  /** @internal */
  readonly definition: attachments.Definition
}

const makeFactory = (name: string, fork: attachments.Fork): TaskFactory => ({
  name,
  definition: { key: id, fork, join: "isolate" }
})

/** Children share their parent's map, whoever writes. O(1). The default. */
export const taskFactory: TaskFactory = makeFactory("taskFactory", attachments.share)

/**
 * Children start with a deep copy of their parent's map, O(n). Functions are kept as they are and instances keep their
 * class; a value that cannot be copied (a promise, say) fails the fork with a `ForkError` that names its key.
 */
export const copyingTaskFactory: TaskFactory = makeFactory("copyingTaskFactory", fromParent)

/**
 * Children read their own entries, and their parent's current ones behind them; `clear` removes a child's own. The fork is
 * O(1). As Python's `ChainMap.new_child`.
 */
export const chainmapTaskFactory: TaskFactory = makeFactory("chainmapTaskFactory", attachments.chain)

const factories: ReadonlyArray<unknown> = [taskFactory, copyingTaskFactory, chainmapTaskFactory]

// -----------------------------------------------------------------------------------------------------------------
// the context
// -----------------------------------------------------------------------------------------------------------------

type Root = attachments.Attachment

const makeRoot = ({ definition }: TaskFactory): Root =>
  attachments.makeAttachment(definition, HashMap.empty(), undefined, false, undefined)

// A task that has no root of its own yet becomes one before it starts a child, so that both share a map from the start.
const roots = locals.makeLocal<Root | undefined>(id, undefined, {
  fork: (root) => root,
  seed: () => makeRoot(taskFactory)
})

const maps = engine.makeRef(id)

const modify = (operation: string, f: (own: attachments.Entries) => attachments.Entries): void => {
  const place = tasks.currentOrThrow(operation)
  tasks.settle(place)
  let root = locals.valueOf(place, roots)
  if (root === undefined) {
    root = makeRoot(taskFactory)
    locals.write(place, roots, root)
  }
  const next = attachments.modifyEntries(locals.valueOf(place, maps), root, keepsNone, f)
  if (next !== undefined) {
    locals.write(place, maps, next)
  }
}

/**
 * The value of a key; the fallback, or `undefined`, where it is absent. A stored `undefined` is present.
 *
 * O(log n), and O(depth of the nesting) under {@link chainmapTaskFactory}. Throws `NoTaskError` outside every task.
 */
export const get: {
  <A = unknown>(key: string): A | undefined
  <A = unknown>(key: string, fallback: A): A
} = <A>(key: string, fallback?: A): A | undefined => {
  const place = tasks.currentOrThrow(`aiotask.get(${JSON.stringify(checkedKey("get", key))})`)
  const root = locals.valueOf(place, roots)
  return root === undefined
    ? fallback
    : Option.getOrElse(attachments.getEntry(locals.valueOf(place, maps), root, key), () => fallback) as A | undefined
}

/**
 * Sets a key in the running task's map. Throws `NoTaskError` outside every task.
 */
export const set = (key: string, value: unknown): void =>
  modify(`aiotask.set(${JSON.stringify(checkedKey("set", key))}, value)`, HashMap.set(key, value))

/**
 * Removes all entries: those of all tasks that share the map, or under {@link chainmapTaskFactory} the task's own, so that
 * its parent's show again. Throws `NoTaskError` outside every task.
 */
export const clear = (): void => modify("aiotask.clear()", (own) => HashMap.filter(own, () => false))

const checkedKey = (operation: string, key: unknown): string => {
  if (typeof key !== "string") {
    throw new TypeError(`aiotask.${operation} takes a key, a string, as in "request_id", and got ${String(key)}`)
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
 */
export const run: {
  <A>(f: () => A, factory?: TaskFactory): A
  <A, E, R>(effect: Effect.Effect<A, E, R>, factory?: TaskFactory): Effect.Effect<A, E, R>
} = (code: (() => unknown) | Effect.Effect<unknown, unknown, unknown>, factory: TaskFactory = taskFactory): any => {
  if (!factories.includes(factory)) {
    throw new TypeError(
      `aiotask.run takes taskFactory, copyingTaskFactory or chainmapTaskFactory as its factory, and got ${
        String(factory)
      }`
    )
  }
  if (typeof code === "function") {
    const root = makeRoot(factory)
    const task = tasks.start()
    locals.write(task, roots, root)
    locals.write(task, maps, mapOf(root))
    return tasks.runIn(task, code)
  }
  if (Effect.isEffect(code)) {
    return Effect.suspend(() => {
      const root = makeRoot(factory)
      return engine.locally(engine.locally(code, maps, mapOf(root)), roots, root)
    })
  }
  throw new TypeError(
    `aiotask.run takes a function or an effect, as in aiotask.run(async () => { … }), and got ${String(code)}`
  )
}

// a root's map stands alone: there is none below it
const keepsNone: attachments.Keeps = () => false

const mapOf = (root: Root): attachments.Entries => attachments.push(attachments.absent, root, keepsNone)
