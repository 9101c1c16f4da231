/**
 * tasklocals, the Python library: objects whose properties live in the running task, as those of `threading.local` live in a thread.
 *
 * - **A task is a fiber or a promise task.** Each starts empty, or with a fresh `init()`: whatever forks it, nothing is
 *   handed down, and nothing comes back on join.
 * - **An async function that is awaited and not forked is the same task**, and so is sequential Effect code.
 * - **Races and timeouts** run their code in tasks of its own, as asyncio's did up to 3.11.
 * - **Left-over code**, a timer that outlives its fiber's step, keeps the properties of that moment.
 *
 * @see https://pypi.org/project/tasklocals/
 * @since 1.0.0
 * @module
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { describe, invalidArgument } from "../internal/argument.js"
import { ownBeforeWrite } from "../internal/task/access.js"
import { currentOrThrow, isOutside } from "../internal/task/current.js"
import * as locals from "../internal/task/local.js"
import * as bags from "../internal/task/properties.js"
import type { Runner } from "../internal/task/task.js"

/**
 * How a local behaves.
 *
 * @since 1.0.0
 * @category options
 */
export interface Options<Shape> {
  /**
   * Whether using it outside every task throws. Default: `true`. Where it is `false` the local has one more bag, its own,
   * for all code outside tasks.
   */
  readonly strict?: boolean
  /** The properties that it has in a task that has not used it yet: called once a task, at the first use. */
  readonly init?: () => Shape
}

// Keyed by an object of each local's own, so that two locals never meet.
type Bags = HashMap.HashMap<object, bags.Bag>

const none: Bags = HashMap.empty()

const slots = locals.makeLocal<Bags>("aiocontext/compat/local", none, { fork: () => none })

/**
 * Makes an object whose properties live in the running task and nowhere else.
 *
 * A read costs O(1) and a write O(n) in the number of the object's properties; a task that is gone leaves nothing behind.
 * Outside a task a strict local throws `NoTaskError`; in a fiber outside `compat.layer` every local throws `BridgeError`.
 *
 * @example
 * ```ts
 * import { compat, context } from "aiocontext"
 * import { local } from "aiocontext/compat/local"
 *
 * const state = local<{ user: string }>()
 *
 * await context.run({}, async () => {
 *   state.user = "ann"
 *   await compat.fork(async () => console.log(state.user)) // => undefined
 *   console.log(state.user) // => ann
 * })
 * ```
 *
 * @since 1.0.0
 * @category constructors
 */
export const local: {
  <Shape extends object>(options: Options<Shape> & { readonly init: () => Shape }): Shape
  <Shape extends object = Record<string, unknown>>(options?: Options<Shape>): Partial<Shape>
} = <Shape extends object>(options: Options<Shape> = {}): Shape => {
  const { init, strict = true } = checked(options)
  const key = {}
  let outside: bags.Bag | undefined

  let starting = false

  const runnerOf = (operation: string): Runner | undefined =>
    !strict && isOutside() ? undefined : currentOrThrow(operation)

  const write = (operation: string, bag: bags.Bag): void => {
    const runner = runnerOf(operation)
    if (runner === undefined) {
      outside = bag
    } else {
      ownBeforeWrite(runner)
      locals.writeIn(runner, slots, HashMap.set(locals.valueIn(runner, slots), key, bag))
    }
  }

  const begin = (operation: string, init: () => object): bags.Bag => {
    if (starting) {
      throw new TypeError(`${operation}: init uses the local that it makes the properties of. Let it return them only.`)
    }
    starting = true
    try {
      const bag = made(init())
      write(operation, bag)
      return bag
    } finally {
      starting = false
    }
  }

  const read = (operation: string): bags.Bag => {
    const runner = runnerOf(operation)
    const bag = runner === undefined ? outside : Option.getOrUndefined(HashMap.get(locals.valueIn(runner, slots), key))
    return bag ?? (init === undefined ? bags.empty : begin(operation, init))
  }

  return bags.makeObject<Shape>("local", { read, write })
}

const checked = <Shape>(options: Options<Shape>): Options<Shape> => {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument("local takes options, as in local({ strict: false })", options)
  }
  const { init, strict } = options
  if (init !== undefined && typeof init !== "function") {
    throw invalidArgument("local: init is a function of nothing, as in local({ init: () => ({ count: 0 }) })", init)
  }
  if (strict !== undefined && typeof strict !== "boolean") {
    throw invalidArgument("local: strict is true or false, as in local({ strict: false })", strict)
  }
  return options
}

const made = (properties: unknown): bags.Bag => {
  if (typeof properties !== "object" || properties === null || "then" in properties) {
    throw new TypeError(
      `local: init returns an object of properties, as in local({ init: () => ({ count: 0 }) }), at once, and returned` +
        ` ${typeof properties === "object" && properties !== null ? "a promise" : describe(properties)}`
    )
  }
  return bags.fromObject(properties)
}
