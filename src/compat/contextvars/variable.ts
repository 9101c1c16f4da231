/**
 * Variables, and the tokens that take back what was set.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import { invalidArgument } from "../../internal/argument.js"
import { currentOrProgram } from "../../internal/task/current.js"
import { LookupError, TokenError } from "./errors.js"
import { bindingsOf, type ContextCell, ownOf, write } from "./held.js"

/** Refuses a subclass: what makes a variable or a context one is its own. */
export const checkFinal = (target: Function, self: Function): void => {
  if (target !== self) {
    throw new TypeError(`${self.name} cannot be extended: hold one in a field of your class instead`)
  }
}

/**
 * Options of {@link ContextVar}.
 *
 * @since 1.0.0
 * @category options
 */
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
 *
 * @since 1.0.0
 * @category constructors
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
    const entry = HashMap.get(bindingsOf(currentOrProgram("ContextVar.get")), this)
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
    const before = Option.getOrElse(HashMap.get(held.cell.bindings, this), () => Token.MISSING)
    const token = new Token<A>(this, before as A | typeof Token.MISSING, held.cell)
    write(runner, held, HashMap.set(held.cell.bindings, this as ContextVar<unknown>, value))
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
    const { bindings } = held.cell
    write(
      runner,
      held,
      own.oldValue === Token.MISSING
        ? HashMap.remove(bindings, this)
        : HashMap.set(bindings, this as ContextVar<unknown>, own.oldValue)
    )
  }
}

/** Whether a value is a variable. */
export const isVariable = (u: unknown): u is ContextVar<unknown> => hasProperty(u, "~contextvars/default")

/**
 * What a `set` leaves, to take it back with `reset`, or at the end of a block: `using _ = variable.set(value)`.
 *
 * Only {@link ContextVar.set} makes tokens.
 *
 * @since 1.0.0
 * @category models
 */
export class Token<A> implements Disposable {
  /** What {@link Token.oldValue} is where the variable was not set. */
  static readonly MISSING: unique symbol = Symbol.for("aiocontext/contextvars/MISSING")
  /** The variable that made the token. */
  readonly var: ContextVar<A>
  /** The value that it had before, or {@link Token.MISSING}. */
  readonly oldValue: A | typeof Token.MISSING
  /** @internal */
  readonly "~contextvars/state": { readonly cell: ContextCell; used: boolean }

  /** @internal */
  constructor(variable: ContextVar<A>, oldValue: A | typeof Token.MISSING, cell: ContextCell) {
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
