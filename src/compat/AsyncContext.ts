/**
 * The TC39 proposal `AsyncContext`, as its spec text has it, on tasks.
 *
 * - **Task.** Every task has a mapping of variables to values, and so has the program outside every task. `run` has code
 *   run with another one, across its awaits; in all else the code belongs to the task that calls.
 * - **Fork.** A child starts with its parent's mapping, O(1), and nobody can change it.
 * - **Root.** A fiber without a parent starts with the mapping of the code that started it.
 * - **Join, race, timeout, interruption.** There is nothing to bring back.
 * - **Suspension.** A fiber goes on with the mapping that it suspended with, whoever wakes it.
 * - **Fibers** need `compat.layer`; outside of it variables throw `BridgeError`.
 *
 * What a library cannot do: generators do not keep the mapping that they started with; `isolate` of
 * `aiocontext/compat/contextvars` does the like for its own variables.
 *
 * @since 1.0.0
 * @module
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { checkFunction } from "../internal/argument.js"
import type { Local } from "../internal/effect3/refs.js"
import { currentOrProgram } from "../internal/task/current.js"
import * as locals from "../internal/task/local.js"

type Mapping = HashMap.HashMap<object, unknown>

const mapping: Local<Mapping> = locals.makeLocal<Mapping>("AsyncContext", HashMap.empty(), {
  fork: (mapping) => mapping,
  inherit: (_, outer) => outer,
  isInherited: () => true
})

const mappingHere = (operation: string): Mapping => locals.valueIn(currentOrProgram(operation), mapping)

type AnyFunction<Args extends ReadonlyArray<unknown>, A> = (...args: Args) => A

const call = <A>(operation: string, swapped: Mapping, f: () => A): A =>
  locals.runWith(currentOrProgram(operation), { local: mapping, value: swapped, f })

/**
 * Options of {@link Variable}.
 *
 * @since 1.0.0
 * @category options
 */
export interface VariableOptions<A> {
  /** For people and debuggers; no key. Default: the empty string. */
  readonly name?: string
  /** What `get` gives where no `run` has set the variable. */
  readonly defaultValue?: A
}

/**
 * A value that is set for the code that a function runs, and for all that this code starts.
 *
 * @example
 * ```ts
 * import { AsyncContext } from "aiocontext/compat/AsyncContext"
 *
 * const request = new AsyncContext.Variable({ defaultValue: "-" })
 *
 * const handle = async () => {
 *   await Promise.resolve()
 *   return request.get()
 * }
 * console.log(await request.run("r-1", handle), request.get()) // => r-1 -
 * ```
 *
 * @since 1.0.0
 * @category constructors
 */
export class Variable<A> {
  readonly #name: string = ""
  readonly #defaultValue: A | undefined

  constructor(options?: VariableOptions<A>) {
    adopt(this, new.target, Variable)
    if (isObject(options)) {
      if ("name" in options) {
        this.#name = toName(options.name)
      }
      this.#defaultValue = options.defaultValue
    }
  }

  /** The name that the variable was given. */
  get name(): string {
    Variable.#require("AsyncContext.Variable.prototype.name", this)
    return this.#name
  }

  /** Calls a function with the variable set, `this` undefined; gives what the function gives. */
  run<Args extends ReadonlyArray<unknown>, B>(value: A, fn: AnyFunction<Args, B>, ...args: Args): B {
    Variable.#require("AsyncContext.Variable.prototype.run", this)
    checkFunction("AsyncContext.Variable.prototype.run", fn)
    const operation = "AsyncContext.Variable.prototype.run"
    return call(
      operation,
      HashMap.set(mappingHere(operation), this as object, value),
      () => Reflect.apply(fn, undefined, args)
    )
  }

  /** The value here, or the default. */
  get(): A | undefined {
    Variable.#require("AsyncContext.Variable.prototype.get", this)
    const entry = HashMap.get(mappingHere("AsyncContext.Variable.prototype.get"), this as object)
    return Option.isSome(entry) ? entry.value as A : this.#defaultValue
  }

  static #require(operation: string, u: unknown): void {
    if (!isObject(u) || !(#name in u)) {
      throw new TypeError(`${operation} was called on something that is no AsyncContext.Variable: call it as a method`)
    }
  }

  static {
    tag(this.prototype, "AsyncContext.Variable")
  }
}

/**
 * The values of all variables at the moment that it is made, for code that runs later. What was not set then is not
 * set for that code.
 *
 * @since 1.0.0
 * @category tasks
 */
export class Snapshot {
  readonly #mapping: Mapping = mappingHere("AsyncContext.Snapshot")

  constructor() {
    adopt(this, new.target, Snapshot)
  }

  /**
   * The function, called with the values of this moment whoever calls it; `this` and the arguments are the call's.
   */
  static wrap<This, Args extends ReadonlyArray<unknown>, A>(
    fn: (this: This, ...args: Args) => A
  ): (this: This, ...args: Args) => A {
    checkFunction("AsyncContext.Snapshot.wrap", fn)
    const captured = mappingHere("AsyncContext.Snapshot.wrap")
    // a method, since those are no constructors
    const { wrapped } = {
      wrapped(this: This, ...args: Args): A {
        return call("AsyncContext.Snapshot.wrap", captured, () => Reflect.apply(fn, this, args))
      }
    }
    return Object.defineProperties(wrapped, {
      length: { value: lengthOf(fn) },
      name: { value: `wrapped ${nameOf(fn)}` }
    })
  }

  /** Calls a function with the values of the snapshot, `this` undefined; gives what the function gives. */
  run<Args extends ReadonlyArray<unknown>, A>(fn: AnyFunction<Args, A>, ...args: Args): A {
    Snapshot.#require("AsyncContext.Snapshot.prototype.run", this)
    checkFunction("AsyncContext.Snapshot.prototype.run", fn)
    return call("AsyncContext.Snapshot.prototype.run", this.#mapping, () => Reflect.apply(fn, undefined, args))
  }

  static #require(operation: string, u: unknown): void {
    if (!isObject(u) || !(#mapping in u)) {
      throw new TypeError(`${operation} was called on something that is no AsyncContext.Snapshot: call it as a method`)
    }
  }

  static {
    tag(this.prototype, "AsyncContext.Snapshot")
  }
}

/**
 * The namespace object of the proposal.
 *
 * @since 1.0.0
 * @category constructors
 */
export const AsyncContext: { readonly Variable: typeof Variable; readonly Snapshot: typeof Snapshot } =
  /* @__PURE__ */ makeNamespace()

/**
 * The types of the proposal.
 *
 * @since 1.0.0
 * @category constructors
 */
export namespace AsyncContext {
  /** A variable: see the class {@link Variable}. */
  export type Variable<A> = VariableClass<A>
  /** A snapshot: see the class {@link Snapshot}. */
  export type Snapshot = SnapshotClass
}

type VariableClass<A> = Variable<A>

type SnapshotClass = Snapshot

function makeNamespace(): typeof AsyncContext {
  const member = (value: unknown) => ({ value, writable: true, configurable: true })
  const namespace = Object.defineProperties({}, { Variable: member(Variable), Snapshot: member(Snapshot) })
  tag(namespace, "AsyncContext")
  return namespace as typeof AsyncContext
}

// what GetPrototypeFromConstructor does for a built-in constructor, where the new target has no prototype
function adopt(self: object, target: Function, type: Function): void {
  if (!isObject(target.prototype)) {
    Object.setPrototypeOf(self, type.prototype)
  }
}

function tag(target: object, value: string): void {
  Object.defineProperty(target, Symbol.toStringTag, { value, configurable: true })
}

function isObject(u: unknown): u is object {
  return (typeof u === "object" && u !== null) || typeof u === "function"
}

// the abstract operation ToString: as a template literal, which refuses a symbol
const toName = (name: unknown): string => `${name}`

// the abstract operation CopyNameAndLength
const nameOf = (fn: { readonly name: unknown }): string => typeof fn.name === "string" ? fn.name : ""

const lengthOf = (fn: { readonly length: unknown }): number => {
  const length = Object.hasOwn(fn, "length") ? fn.length : 0
  return typeof length === "number" ? Math.max(Math.trunc(length) || 0, 0) : 0
}
