/**
 * Contexts: the values of variables, to look at and to run code in.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { TaskContext } from "../../compat.js"
import { checkFunction, invalidArgument } from "../../internal/argument.js"
import { type State, taskId, withValue } from "../../internal/effect3/state.js"
import { currentOrProgram } from "../../internal/task/current.js"
import * as locals from "../../internal/task/local.js"
import { ContextEnteredError } from "./errors.js"
import { type Bindings, bindingsOf, type ContextCell, current, enter, given, isIn, makeCell, none } from "./held.js"
import { checkFinal, type ContextVar, isVariable } from "./variable.js"

/**
 * The values of variables: those of a task, a copy of them, or those to run code in. Its iterator gives the variables.
 *
 * It is read as a map, defaults left out; it is written by the code that runs in it.
 *
 * @since 1.0.0
 * @category constructors
 */
export class Context implements Iterable<ContextVar<unknown>>, TaskContext {
  /** @internal */
  readonly "~contextvars/cell": ContextCell = makeCell(none)

  /** A context without values. */
  constructor() {
    checkFinal(new.target, Context)
  }

  /**
   * Runs a function in this very context: what it sets stays in it. Gives what the function gives.
   *
   * An async function is in it across its awaits, and the context is entered until its promise settles. In all else the
   * function belongs to the task that calls. Throws {@link ContextEnteredError} where the context is entered already.
   */
  run<Args extends Array<unknown>, A>(f: (...args: Args) => A, ...args: Args): A {
    checkFunction("Context.run", f)
    const cell = this["~contextvars/cell"]
    const runner = currentOrProgram("Context.run")
    if (cell.entered || isIn(cell, locals.valueIn(runner, current))) {
      throw new ContextEnteredError({ operation: "Context.run" })
    }
    const leave = () => {
      cell.entered = false
    }
    cell.entered = true
    let result: A
    try {
      result = enter(runner, cell, () => f(...args))
    } catch (error) {
      leave()
      throw error
    }
    if (result instanceof Promise) {
      if (result.constructor === Promise) {
        // what A is here: a promise of the same value
        return result.finally(leave) as A
      }
      // a promise of a subclass is given as it is: it may have methods, and do its work only where it is waited for
      Promise.prototype.then.call(result, leave, leave)
      return result
    }
    leave()
    return result
  }

  /** A context with the same values, O(1). */
  copy(): Context {
    return contextWith(this["~contextvars/cell"].bindings)
  }

  /** The value of a variable, if it is set here. */
  get<A>(variable: ContextVar<A>): A | undefined
  /** The value of a variable, or the fallback where it is not set here. */
  get<A, B>(variable: ContextVar<A>, fallback: B): A | B
  get(variable: ContextVar<unknown>, fallback?: unknown): unknown {
    return Option.getOrElse(HashMap.get(this["~contextvars/cell"].bindings, key("get", variable)), () => fallback)
  }

  /** Whether a variable is set here. */
  has(variable: ContextVar<unknown>): boolean {
    return HashMap.has(this["~contextvars/cell"].bindings, key("has", variable))
  }

  /** The number of variables that are set here. */
  get size(): number {
    return HashMap.size(this["~contextvars/cell"].bindings)
  }

  /** The variables that are set here, in no particular order. */
  keys(): IterableIterator<ContextVar<unknown>> {
    return HashMap.keys(this["~contextvars/cell"].bindings)
  }

  /** Their values. */
  values(): IterableIterator<unknown> {
    return HashMap.values(this["~contextvars/cell"].bindings)
  }

  /** Both. */
  entries(): IterableIterator<[ContextVar<unknown>, unknown]> {
    return HashMap.entries(this["~contextvars/cell"].bindings)
  }

  /** The variables that have a value, as iterating a mapping gives its keys in Python. */
  [Symbol.iterator](): IterableIterator<ContextVar<unknown>> {
    return this.keys()
  }

  /** @internal */
  "~aiocontext/install"(state: State): State {
    return withValue(state, current, given(this["~contextvars/cell"]), taskId)
  }
}

const key = (operation: string, variable: unknown): ContextVar<unknown> => {
  if (!isVariable(variable)) {
    throw invalidArgument(`Context.${operation}: a ContextVar is the key, not its name`, variable)
  }
  return variable
}

const contextWith = (bindings: Bindings): Context => {
  const context = new Context()
  context["~contextvars/cell"].bindings = bindings
  return context
}

/**
 * A copy of the current context, O(1).
 *
 * @since 1.0.0
 * @category constructors
 */
export const copyContext = (): Context => contextWith(bindingsOf(currentOrProgram("copyContext")))
