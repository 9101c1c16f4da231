/**
 * Locals, and the contexts that they have their attributes in.
 *
 * @since 1.0.0
 * @module
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { fork } from "../../compat.js"
import type { TaskFunction } from "../../compat.js"
import { NoTaskError } from "../../errors.js"
import { invalidArgument } from "../../internal/argument.js"
import type { Local as TaskLocal } from "../../internal/effect3/refs.js"
import { startTask } from "../../internal/task/child.js"
import { currentOrThrow, isOutside, runIn } from "../../internal/task/current.js"
import { noteStarts } from "../../internal/task/defaults.js"
import { makeLocal, valueIn, writeIn } from "../../internal/task/local.js"
import * as bags from "../../internal/task/properties.js"
import type { Task } from "../../internal/task/task.js"

/** What all tasks of a context have of one local. */
export interface State {
  bag: bags.Bag
}

/** The states of a context's locals, keyed by an object of each local's own. */
export type States = HashMap.HashMap<object, State>

/** The states that a task has. */
export const contexts: TaskLocal<States> = makeLocal<States>("aiocontext/compat/aiolocals", HashMap.empty(), {
  fork: (states) => states
})

const keys = new WeakMap<object, object>()

/** What the states of a local are kept by. */
export const keyOf = (local: object): object | undefined => keys.get(local)

const stateOf = (key: object, operation: string): State => {
  const states = isOutside() ? HashMap.empty() : valueIn(currentOrThrow(operation), contexts)
  return Option.getOrThrowWith(HashMap.get(states, key), () =>
    new NoTaskError({
      operation,
      advice: "it runs in no context of this local. Enter one with withContext({ locals: [theLocal] }, fn)."
    }))
}

/**
 * An object that has other attributes in each context.
 *
 * A missing attribute is `undefined`. Outside a context that lists the local, reading and writing throw `NoTaskError`; in a
 * fiber outside `compat.layer` they throw `BridgeError`. A read costs O(1), a write O(n) in the number of the attributes. A
 * subclass may have methods and accessors of its own.
 *
 * @since 1.0.0
 * @category constructors
 */
export type Local<Shape extends object = Record<string, unknown>> = Partial<Shape>

class LocalObject {
  constructor() {
    const key = {}
    const local = bags.makeObject<object>("Local", {
      read: (operation) => stateOf(key, operation).bag,
      write: (operation, bag) => {
        stateOf(key, operation).bag = bag
      }
    }, new.target.prototype)
    keys.set(local, key)
    return local
  }
}

/**
 * Makes a local: `new Local<Shape>()`.
 *
 * @since 1.0.0
 * @category constructors
 */
export const Local: new<Shape extends object = Record<string, unknown>>() => Local<Shape> = LocalObject as never

/**
 * What a context manages.
 *
 * @since 1.0.0
 * @category options
 */
export interface ContextOptions {
  readonly locals: ReadonlyArray<object>
}

/**
 * Runs code as a new task in a context of its own; gives what the code gives. A task, as `context.run` is one, keeps two
 * contexts apart that run at once; with Python's `with` they would need tasks of their own.
 *
 * Given an effect it gives one that runs in such a context, in the fiber that runs it, with a fresh state at each run.
 *
 * @example
 * ```ts
 * import { Local, withContext } from "aiocontext/compat/aiolocals"
 *
 * const foo = new Local<{ bar: string }>()
 *
 * const print = async () => console.log(`foo.bar is ${foo.bar}`)
 *
 * await withContext({ locals: [foo] }, async () => {
 *   foo.bar = "baz"
 *   await print() // => foo.bar is baz
 * })
 * ```
 *
 * @since 1.0.0
 * @category tasks
 */
export const withContext: {
  <A>(options: ContextOptions, f: () => A): A
  <A, E, R>(options: ContextOptions, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R>
} = (options: ContextOptions, code: Code): any => {
  const locals = listed(options)
  return enter("withContext", code, () => locals.map((key) => [key, { bag: bags.empty }]))
}

const listed = (options: ContextOptions): ReadonlyArray<object> => {
  const locals: unknown = options?.locals
  if (!Array.isArray(locals)) {
    throw invalidArgument("withContext takes its locals, as in withContext({ locals: [foo] }, fn)", locals)
  }
  return locals.map((local) => {
    const key = keys.get(local)
    if (key === undefined) {
      throw new TypeError("withContext: each of the locals is made with new Local(), and one is not")
    }
    return key
  })
}

/** What runs in a context. */
export type Code = (() => unknown) | Effect.Effect<unknown, unknown, unknown>

/** Runs code with these states beside those that are there. */
export const enter = (operation: string, code: Code, make: () => Iterable<readonly [object, State]>): unknown => {
  if (typeof code === "function") {
    return runIn(startWith(make()), code)
  }
  if (Effect.isEffect(code)) {
    return within(code, make)
  }
  throw invalidArgument(`${operation} takes a function or an effect`, code)
}

/** A new task with these states beside those that are there. */
export const startWith = (states: Iterable<readonly [object, State]>): Task => {
  noteStarts()
  const task = startTask()
  writeIn(task, contexts, HashMap.union(valueIn(task, contexts), HashMap.fromIterable(states)))
  return task
}

/** Runs an effect with these states beside those that are there. */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  make: () => Iterable<readonly [object, State]>
): Effect.Effect<A, E, R> =>
  Effect.locallyWith(effect, contexts, (states) => HashMap.union(states, HashMap.fromIterable(make())))

/**
 * Runs code as a child of this task, with the same state; outside every task, as a task of its own. The same as
 * `compat.fork`, which may be used in its place.
 *
 * @since 1.0.0
 * @category tasks
 */
export const wrapAsync = <A>(f: TaskFunction<A>): Promise<A> =>
  isOutside() ? runIn(startTask(), () => fork(f)) : fork(f)

/**
 * Runs each function as a child of this task, with the same state, and waits for all. Rejects with the first failure; the
 * others run on.
 *
 * @since 1.0.0
 * @category tasks
 */
export const wrapGather = <const Fs extends ReadonlyArray<TaskFunction<unknown>>>(
  ...fs: Fs
): Promise<{ -readonly [K in keyof Fs]: Awaited<ReturnType<Fs[K]>> }> => {
  const wrong = fs.find((f) => typeof f !== "function")
  if (wrong !== undefined) {
    throw invalidArgument("wrapGather takes functions, as in wrapGather(one, two)", wrong)
  }
  return Promise.all(fs.map((f) => wrapAsync(f))) as Promise<never>
}
