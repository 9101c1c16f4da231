/**
 * A test kit: proof that no request sees another's values, contexts around tests, and the trace of a run.
 *
 * @module
 */
export type { TraceEvent } from "./testing/event.js"
export * from "./testing/isolation.js"
export type { Failure, Leak, Storage, TestRequest } from "./testing/run.js"
export { trace } from "./testing/trace.js"
export type { Trace, Traced } from "./testing/trace.js"
export { withContext } from "./testing/within.js"
export type { WithContext } from "./testing/within.js"
