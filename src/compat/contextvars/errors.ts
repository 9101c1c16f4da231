/**
 * The errors of `contextvars`.
 */
import * as Data from "effect/Data"
import type { TaggedError } from "../../errors.js"

const LookupErrorBase: TaggedError<"LookupError", { readonly variable: string }> = Data.TaggedError("LookupError")

/**
 * A variable has no value in the current context, and no default. Python's `LookupError`.
 *
 * @since 1.0.0
 * @category errors
 */
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
 *
 * @since 1.0.0
 * @category errors
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

/**
 * A context was entered that is entered already. Python's `RuntimeError`.
 *
 * @since 1.0.0
 * @category errors
 */
export class ContextEnteredError extends ContextEnteredErrorBase {
  override get message(): string {
    return `${this.operation}: the context is already entered; that of an async function is, until its promise settles.` +
      ` Run the code in a copy: context.copy().run(fn).`
  }
}
