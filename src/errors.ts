/**
 * What can go wrong, one class a cause.
 *
 * Each error names the context and the key it is about, says what is missing, and ends with the line that mends it.
 * Effect code gets them in the error channel (or as a defect where the types rule the mistake out), imperative code
 * as exceptions.
 *
 * @since 1.0.0
 * @module
 */
import type * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Inspectable from "effect/Inspectable"
import type { InboundError } from "./reach-errors.js"

/** @internal named, so that declarations need no inference */
export type TaggedError<Tag extends string, Fields extends object> = new(
  fields: Fields
) => Cause.YieldableError & { readonly _tag: Tag } & Readonly<Fields>

const NoTaskErrorBase: TaggedError<"NoTaskError", {
  readonly operation: string
  /** What is missing and which line mends it, in this runtime. */
  readonly advice: string
}> = /* @__PURE__ */ Data.TaggedError("NoTaskError")

/**
 * Imperative code ran where no task is known: outside every fiber, and outside every task that `context.run` or
 * `compat.fork` started. Also where promise code ends up, after its first `await`, when a fiber outside
 * `compat.layer` started it.
 *
 * The counterpart of AioContext's `EventLoopError`.
 *
 * @since 1.0.0
 * @category errors
 */
export class NoTaskError extends NoTaskErrorBase {
  override get message(): string {
    return `${this.operation}: ${this.advice}`
  }
}

const BridgeErrorBase: TaggedError<"BridgeError", {
  readonly operation: string
}> = /* @__PURE__ */ Data.TaggedError("BridgeError")

/**
 * Imperative code was called by a fiber that runs outside `compat.layer`. It is thrown at once, in synchronous code
 * too, so that the call cannot work until somebody adds an `await`.
 *
 * The counterpart of AioContext's `TaskFactoryError`.
 *
 * @since 1.0.0
 * @category errors
 */
export class BridgeError extends BridgeErrorBase {
  override get message(): string {
    return `${this.operation}: the fiber that called this runs outside the bridge. Put it under everything, and not beside` +
      ` other layers in Layer.mergeAll: Effect.provide(main, compat.layer), or node --import aiocontext/register.`
  }
}

const NotAttachedErrorBase: TaggedError<"NotAttachedError", {
  readonly context: string
  readonly operation: string
  /** Whether all that it has of the context is `Layer.late`, which attaches none. */
  readonly isLate?: boolean
}> = /* @__PURE__ */ Data.TaggedError("NotAttachedError")

/**
 * A task is running, but the context is not attached to it.
 *
 * The counterpart of AioContext's `TaskContextError`; in Effect code it is a type error instead.
 *
 * @since 1.0.0
 * @category errors
 */
export class NotAttachedError extends NotAttachedErrorBase {
  override get message(): string {
    const where = `${this.operation}: the context "${this.context}" is not attached here`
    return this.isLate
      ? `${where}: Layer.late leaves that to each message, and this runs outside of one. Read it where a message is` +
        ` handled, or attach it here with Tag.provide({ … }).`
      : `${where}. Attach it with Effect.provide(program, Tag.layer({ … })), or in promise code with` +
        ` compat.make(Tag).run({ … }, fn).`
  }
}

const KeyNotFoundErrorBase: TaggedError<"KeyNotFoundError", {
  readonly context: string
  readonly key: string
}> = /* @__PURE__ */ Data.TaggedError("KeyNotFoundError")

/**
 * The context is attached and has no such key. The counterpart of Python's `KeyError`.
 *
 * @since 1.0.0
 * @category errors
 */
export class KeyNotFoundError extends KeyNotFoundErrorBase {
  override get message(): string {
    const key = JSON.stringify(this.key)
    return `The context "${this.context}" has no key ${key} here. Set it with set(${key}, value), or read it with` +
      ` get(${key}, fallback).`
  }
}

const ForkErrorBase: TaggedError<"ForkError", {
  readonly context: string
  readonly key?: string
  readonly cause: unknown
}> = /* @__PURE__ */ Data.TaggedError("ForkError")

/**
 * A child could not be given its map: a value cannot be copied, or the context's own `fork` function failed. It is
 * thrown by the fork, before the child starts; `key` is there when one entry is to blame.
 *
 * @since 1.0.0
 * @category errors
 */
export class ForkError extends ForkErrorBase {
  override get message(): string {
    const reason = this.cause instanceof Error ? this.cause.message : Inspectable.toStringUnknown(this.cause, 0)
    const context = `The context "${this.context}" cannot`
    return this.key === undefined
      ? `${context} fork (${reason}): its fork takes the parent's HashMap and returns the child's.`
      : `${context} copy its key ${JSON.stringify(this.key)} for a child (${reason}). Keep it out, or fork with` +
        ` { fork: "copy" }.`
  }
}

const DefinitionErrorBase: TaggedError<"DefinitionError", {
  readonly context: string
  readonly key: string
  /** What is wrong, and what to write instead. */
  readonly problem: string
}> = /* @__PURE__ */ Data.TaggedError("DefinitionError")

/**
 * A context's definition contradicts itself, or asks for what must not be. It is thrown where the class is defined.
 *
 * @since 1.0.0
 * @category errors
 */
export class DefinitionError extends DefinitionErrorBase {
  override get message(): string {
    return `The context "${this.context}", key ${JSON.stringify(this.key)}: ${this.problem}`
  }
}

/**
 * Every error of the library: match on `_tag`, or on the class. `InboundError` is in `aiocontext/Propagation`: it is a
 * schema, which the core does not load.
 *
 * @since 1.0.0
 * @category errors
 */
export type AioContextError =
  | NoTaskError
  | BridgeError
  | NotAttachedError
  | KeyNotFoundError
  | ForkError
  | DefinitionError
  | InboundError
