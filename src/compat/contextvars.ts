/**
 * Python's `contextvars` (PEP 567), and the isolated generators of its forerunner (PEP 550), on tasks.
 *
 * - **Task.** Every task, a fiber or a promise task, runs in a {@link Context}. Code outside every task runs in the
 *   program's, as a Python thread does.
 * - **Fork.** A child starts with a copy of its parent's context, O(1). `compat.fork(f, { context })` and
 *   `compat.runFork(effect, { context })` run it in the given one instead, which several tasks may share.
 * - **Root.** A fiber without a parent starts with a copy of the context of the code that started it.
 * - **Join, race, timeout, interruption.** What a child sets stays in its context.
 * - **Left-over code.** It reads the values of its moment; what it sets goes to a copy of its own.
 * - **Fibers** need `compat.layer`; outside of it variables throw `BridgeError`.
 *
 * CPython 3.13 is the reference; the disposable token is that of 3.14.
 *
 * @module
 */
import * as Data from "effect/Data"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import type { TaskContext } from "../compat.js"
import type { TaggedError } from "../errors.js"
import { checkFunction, invalidArgument } from "../internal/argument.js"
import type { Local } from "../internal/effect3/refs.js"
import { type State, taskId, withValue } from "../internal/effect3/state.js"
import { isLeftOver, ownBeforeWrite } from "../internal/task/access.js"
import { named } from "../internal/task/bind.js"
import { currentOrProgram } from "../internal/task/current.js"
import * as locals from "../internal/task/local.js"
import type { Runner } from "../internal/task/task.js"

// -----------------------------------------------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------------------------------------------

const LookupErrorBase: TaggedError<"LookupError", { readonly variable: string }> = Data.TaggedError("LookupError")

/** A variable has no value in the current context, and no default. Python's `LookupError`. */
export class LookupError extends LookupErrorBase {
  override get message(): string {
    const name = JSON.stringify(this.variable)
    return `ContextVar.get: the variable ${name} has no value in this context. Set it first with set(value), read it` +
      ` with get(fallback), or define it with new ContextVar(${name}, { default: value }).`
  }
}

const TokenErrorBase: TaggedError<"TokenError", {
  readonly variable: string
  readonly reason: "used" | "variable" | "context"
}> = Data.TaggedError("TokenError")

/**
 * A token cannot reset the variable: it has already done so (`"used"`), another variable made it (`"variable"`), or it
 * was made in another context (`"context"`). Python's `RuntimeError` and `ValueError`.
 */
export class TokenError extends TokenErrorBase {
  override get message(): string {
    const reasons = {
      used: "the token has already been used. Each set(value) gives a token for one reset.",
      variable: "the token was made by a different variable. Reset the one that token.var names.",
      context: "the token was made in a different context. Reset it in the task, or the context.run, that called set."
    }
    return `ContextVar.reset of ${JSON.stringify(this.variable)}: ${reasons[this.reason]}`
  }
}

const ContextEnteredErrorBase: TaggedError<"ContextEnteredError", {
  readonly operation: string
}> = Data.TaggedError("ContextEnteredError")

/** A context was entered that is entered already. Python's `RuntimeError`. */
export class ContextEnteredError extends ContextEnteredErrorBase {
  override get message(): string {
    return `${this.operation}: the context is already entered; that of an async function is, until its promise settles.` +
      ` Run the code in a copy: context.copy().run(fn).`
  }
}

// -----------------------------------------------------------------------------------------------------------------
// the context of a task
// -----------------------------------------------------------------------------------------------------------------

type Entries = HashMap.HashMap<ContextVar<unknown>, unknown>

/** What makes a context one and the same. */
interface Cell {
  entries: Entries
  entered: boolean
}

/** The context that a task runs in. */
interface Held {
  readonly cell: Cell
  /** The task's own entries as it last knew them, for code that it leaves behind; none in a context that was given. */
  readonly moment: Entries | undefined
  /** Whether it is the task's, still what the program had when the task started, or one that was given. */
  readonly from: "task" | "program" | "given"
  /** The context that the whole task was given: it is entered for as long as the task runs. */
  readonly whole?: Cell | undefined
}

const none: Entries = HashMap.empty()

const makeCell = (entries: Entries): Cell => ({ entries, entered: false })

const hold = (entries: Entries, from: Held["from"]): Held => ({ cell: makeCell(entries), moment: entries, from })

/** What a task holds that is given a context to run in. */
const given = (cell: Cell): Held => ({ cell, moment: undefined, from: "given", whole: cell })

/** What code holds that enters a context. */
const entered = (cell: Cell, outer: Held | undefined): Held => ({
  cell,
  moment: undefined,
  from: "given",
  whole: outer?.whole
})

const isIn = (cell: Cell, held: Held | undefined): boolean => held?.cell === cell || held?.whole === cell

const current: Local<Held | undefined> = locals.makeLocal<Held | undefined>("contextvars", undefined, {
  fork: (held) => held && hold(held.cell.entries, held.from === "program" ? "program" : "task"),
  detach: (held) => held && hold(held.moment ?? held.cell.entries, held.from),
  inherit: (own, outer, inTask) => {
    if (own?.from === "given" || (own?.from === "task" && (outer === undefined || !inTask))) {
      return own
    }
    // not the run's own: a runtime that is built in the run takes along what it sets, and not what the run was started with
    return outer && hold(outer.cell.entries, "program")
  },
  isInherited: (held) => held?.from === "program"
})

const entriesOf = (runner: Runner): Entries => {
  const held = locals.valueIn(runner, current)
  return held === undefined
    ? none
    : held.moment !== undefined && isLeftOver(runner)
    ? held.moment
    : held.cell.entries
}

/** The context to write to. */
const ownOf = (runner: Runner): Held => {
  ownBeforeWrite(runner)
  return locals.valueIn(runner, current) ?? hold(none, "task")
}

const write = (runner: Runner, held: Held, entries: Entries): void => {
  held.cell.entries = entries
  if (held.moment !== undefined) {
    locals.writeIn(runner, current, { cell: held.cell, moment: entries, from: "task" })
  }
}

const enter = <A>(runner: Runner, cell: Cell, f: () => A): A =>
  locals.runWith(runner, { local: current, value: entered(cell, locals.valueIn(runner, current)), f })

// -----------------------------------------------------------------------------------------------------------------
// variables
// -----------------------------------------------------------------------------------------------------------------

const checkFinal = (target: Function, self: Function): void => {
  if (target !== self) {
    throw new TypeError(`${self.name} cannot be extended: hold one in a field of your class instead`)
  }
}

/** Options of {@link ContextVar}. */
export interface ContextVarOptions<A> {
  /** What `get` gives where the variable is not set. A default of `undefined` is one. */
  readonly default?: A
}

/**
 * A context variable: a value that every task has its own of. It is its own key, whatever its name.
 *
 * @example
 * ```ts
 * import { ContextVar, copyContext } from "aiocontext/compat/contextvars"
 *
 * const user = new ContextVar("user", { default: "nobody" })
 *
 * const context = copyContext()
 * context.run(() => user.set("ann"))
 * console.log(context.get(user), user.get()) // => ann nobody
 * ```
 */
export class ContextVar<A> {
  /** The name that the variable was given: for people, no key. */
  readonly name: string
  /** @internal */
  readonly "~contextvars/default": Option.Option<A>

  constructor(name: string, options?: ContextVarOptions<A>) {
    checkFinal(new.target, ContextVar)
    if (typeof name !== "string") {
      throw invalidArgument(`ContextVar takes its name, a string, as in new ContextVar("user")`, name)
    }
    this.name = name
    this["~contextvars/default"] = options !== undefined && "default" in options
      ? Option.some(options.default as A)
      : Option.none()
    Object.freeze(this)
  }

  /** The value in the current context, or the default. Throws {@link LookupError} where there is neither. */
  get(): A
  /** The value in the current context, or the fallback. */
  get<B>(fallback: B): A | B
  get(...fallback: [unknown?]): unknown {
    const entry = HashMap.get(entriesOf(currentOrProgram("ContextVar.get")), this)
    if (Option.isSome(entry)) {
      return entry.value
    }
    if (fallback.length > 0) {
      return fallback[0]
    }
    if (Option.isSome(this["~contextvars/default"])) {
      return this["~contextvars/default"].value
    }
    throw new LookupError({ variable: this.name })
  }

  /** Sets the value in the current context; gives the token that takes it back. */
  set(value: A): Token<A> {
    const runner = currentOrProgram("ContextVar.set")
    const held = ownOf(runner)
    const before = Option.getOrElse(HashMap.get(held.cell.entries, this), () => Token.MISSING)
    const token = new Token<A>(this, before as A | typeof Token.MISSING, held.cell)
    write(runner, held, HashMap.set(held.cell.entries, this as ContextVar<unknown>, value))
    return token
  }

  /**
   * Gives the variable the value that it had before the `set` that made the token, or none if it had none. Tokens may
   * be used in any order. Throws {@link TokenError} for a token that is used, another variable's or another context's.
   */
  reset(token: Token<A>): void {
    if (!hasProperty(token, "~contextvars/state")) {
      throw invalidArgument("ContextVar.reset takes the token that set(value) gave", token)
    }
    const own = token as Token<A>
    const refuse = (reason: TokenError["reason"]) => new TokenError({ variable: this.name, reason })
    if (own["~contextvars/state"].used) {
      throw refuse("used")
    }
    if (own.var !== this) {
      throw refuse("variable")
    }
    const runner = currentOrProgram("ContextVar.reset")
    const held = ownOf(runner)
    if (held.cell !== own["~contextvars/state"].cell) {
      throw refuse("context")
    }
    own["~contextvars/state"].used = true
    const { entries } = held.cell
    write(
      runner,
      held,
      own.oldValue === Token.MISSING
        ? HashMap.remove(entries, this)
        : HashMap.set(entries, this as ContextVar<unknown>, own.oldValue)
    )
  }
}

const isVariable = (u: unknown): u is ContextVar<unknown> => hasProperty(u, "~contextvars/default")

/**
 * What a `set` leaves, to take it back with `reset`, or at the end of a block: `using _ = variable.set(value)`.
 *
 * Only {@link ContextVar.set} makes tokens.
 */
export class Token<A> implements Disposable {
  /** What {@link Token.oldValue} is where the variable was not set. */
  static readonly MISSING: unique symbol = Symbol.for("aiocontext/contextvars/MISSING")
  /** The variable that made the token. */
  readonly var: ContextVar<A>
  /** The value that it had before, or {@link Token.MISSING}. */
  readonly oldValue: A | typeof Token.MISSING
  /** @internal */
  readonly "~contextvars/state": { readonly cell: Cell; used: boolean }

  /** @internal */
  constructor(variable: ContextVar<A>, oldValue: A | typeof Token.MISSING, cell: Cell) {
    checkFinal(new.target, Token)
    if (!isVariable(variable)) {
      throw new TypeError("Tokens are made by ContextVar.set, as in const token = variable.set(value)")
    }
    this.var = variable
    this.oldValue = oldValue
    this["~contextvars/state"] = { cell, used: false }
    Object.freeze(this)
  }

  /** Resets the variable; throws {@link TokenError} where `reset` does. */
  [Symbol.dispose](): void {
    this.var.reset(this)
  }
}

// -----------------------------------------------------------------------------------------------------------------
// contexts
// -----------------------------------------------------------------------------------------------------------------

/**
 * The values of variables: those of a task, a copy of them, or those to run code in. Its iterator gives the variables.
 *
 * It is read as a map, defaults left out; it is written by the code that runs in it.
 */
export class Context implements Iterable<ContextVar<unknown>>, TaskContext {
  /** @internal */
  readonly "~contextvars/cell": Cell = makeCell(none)

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
    return contextWith(this["~contextvars/cell"].entries)
  }

  /** The value of a variable, if it is set here. */
  get<A>(variable: ContextVar<A>): A | undefined
  /** The value of a variable, or the fallback where it is not set here. */
  get<A, B>(variable: ContextVar<A>, fallback: B): A | B
  get(variable: ContextVar<unknown>, fallback?: unknown): unknown {
    return Option.getOrElse(HashMap.get(this["~contextvars/cell"].entries, key("get", variable)), () => fallback)
  }

  /** Whether a variable is set here. */
  has(variable: ContextVar<unknown>): boolean {
    return HashMap.has(this["~contextvars/cell"].entries, key("has", variable))
  }

  /** The number of variables that are set here. */
  get size(): number {
    return HashMap.size(this["~contextvars/cell"].entries)
  }

  /** The variables that are set here, in no particular order. */
  keys(): IterableIterator<ContextVar<unknown>> {
    return HashMap.keys(this["~contextvars/cell"].entries)
  }

  /** Their values. */
  values(): IterableIterator<unknown> {
    return HashMap.values(this["~contextvars/cell"].entries)
  }

  /** Both. */
  entries(): IterableIterator<[ContextVar<unknown>, unknown]> {
    return HashMap.entries(this["~contextvars/cell"].entries)
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

const contextWith = (entries: Entries): Context => {
  const context = new Context()
  context["~contextvars/cell"].entries = entries
  return context
}

/** A copy of the current context, O(1). */
export const copyContext = (): Context => contextWith(entriesOf(currentOrProgram("copyContext")))

// -----------------------------------------------------------------------------------------------------------------
// isolated generators
// -----------------------------------------------------------------------------------------------------------------

type AnyGenerator = Generator<any, any, any> | AsyncGenerator<any, any, any>

/**
 * Gives a generator, or an async one, a context of its own: a copy of the one that its function is called in. What its
 * body sets is not seen by the code that drives it, in whatever context that calls `next`, `return` or `throw`.
 *
 * PEP 550 has it so for all generators; PEP 567 for none. Here the context is a copy: what the driver sets later is not
 * seen by the body.
 */
export const isolate = <Args extends Array<unknown>, G extends AnyGenerator>(
  generatorFunction: (...args: Args) => G
): (...args: Args) => G => {
  checkFunction("isolate", generatorFunction)
  const isolated = function(this: unknown, ...args: Args): G {
    const cell = makeCell(entriesOf(currentOrProgram("isolate")))
    const inside = <A>(f: () => A): A => enter(currentOrProgram("isolate"), cell, f)
    const generator = inside(() => generatorFunction.apply(this, args))
    if (!hasProperty(generator, "next") || !hasProperty(generator, "return") || !hasProperty(generator, "throw")) {
      throw invalidArgument(
        "isolate takes a generator function, as in isolate(function*() { … }), where the function gives a generator",
        generator
      )
    }
    const step = (name: "next" | "return" | "throw") => ({
      value: (...values: [unknown]) => inside(() => generator[name](...values)),
      configurable: true,
      writable: true
    })
    return Object.create(generator, { next: step("next"), return: step("return"), throw: step("throw") }) as G
  }
  return named(isolated, generatorFunction)
}
