/**
 * aiolocals, the Python library: locals whose attributes are per context, and the tracking of requests and jobs in logs.
 *
 * - **A context** is what {@link withContext}, {@link jobContext} and {@link requestMiddleware} run code in. It has a fresh
 *   state for the locals that it lists; those of an enclosing context are seen through it.
 * - **Child tasks see the same state**, whatever starts them: {@link wrapAsync}, `compat.fork`, `Effect.fork`, a race or a
 *   timeout. What one sets, all see.
 * - **Joins** bring nothing, as it is there already, and a context's end takes its state with it.
 *
 * @see https://docs.atlassian.com/aiolocals/
 * @since 1.0.0
 * @module
 */
export type { ContextOptions } from "./aiolocals/locals.js"
export { Local, withContext, wrapAsync, wrapGather } from "./aiolocals/locals.js"
export type { Level, Log, Logging, LoggingOptions, PinoLogger } from "./aiolocals/logging.js"
export { configureLogging } from "./aiolocals/logging.js"
export type {
  IncomingRequest,
  Job,
  MiddlewareOptions,
  OutgoingResponse,
  Request,
  RequestMiddleware
} from "./aiolocals/requests.js"
export { jobContext, request, requestMiddleware } from "./aiolocals/requests.js"
