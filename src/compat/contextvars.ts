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
 * @since 1.0.0
 * @module
 */
export { Context, copyContext } from "./contextvars/context.js"
export { ContextEnteredError, LookupError, TokenError } from "./contextvars/errors.js"
export { isolate } from "./contextvars/isolate.js"
export { ContextVar, type ContextVarOptions, Token } from "./contextvars/variable.js"
