/**
 * Task-local context for Effect fibers and for the promise code around them, in one map.
 *
 * Effect code alone needs no more than `aiocontext/Context`, which imports `effect` and nothing else. Layers that seed a
 * context, or carry it into logs and spans, are in `aiocontext/Layer`.
 *
 * @example
 * ```ts
 * import { context, ContextLayer, Ctx } from "aiocontext"
 * import { Effect } from "effect"
 *
 * // promise code: it knows nothing of Effect
 * const audit = async () => {
 *   await Promise.resolve()
 *   context.set("audited", true)
 *   return `Request ID: ${context.get("request_id")}`
 * }
 *
 * const program = Effect.gen(function*() {
 *   yield* Ctx.set("request_id", 42)
 *   console.log(yield* Effect.promise(audit)) // => Request ID: 42
 *   console.log(yield* Ctx.get("audited")) // => true
 * })
 *
 * await Effect.runPromise(Effect.provide(program, ContextLayer))
 * ```
 *
 * @since 1.0.0
 * @module
 */
export * as compat from "./compat.js"
export { context } from "./compat.js"
export * as Context from "./Context.js"
export { Ctx } from "./Context.js"
export * from "./errors.js"
export { ContextLayer } from "./Layer.js"
