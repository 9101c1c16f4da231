/**
 * Task-local context for Effect fibers and for the promise code around them, in one map.
 *
 * @module
 */
export * as compat from "./compat.js"
export { context } from "./compat.js"
export * as Context from "./Context.js"
export { Ctx } from "./Context.js"
export * from "./errors.js"
export { ContextLayer } from "./Layer.js"
