/**
 * A test kit: proof that no request sees another's values, contexts around tests, and the trace of a run.
 *
 * @since 1.0.0
 * @module
 */
export { isolationTest } from "./testing/kit/isolation.js"
export { perRun } from "./testing/kit/options.js"
export type { IsolationOptions } from "./testing/kit/options.js"
export type { Failure, Leak, Waits, Wake } from "./testing/kit/outcome.js"
export { IsolationError } from "./testing/kit/report.js"
export type { IsolationFinding, IsolationReport } from "./testing/kit/report.js"
export type { DefaultValues, RequestName, Storage, Subject, TestRequest } from "./testing/kit/request.js"
export type { TraceEvent } from "./testing/trace/event.js"
export { trace } from "./testing/trace/record.js"
export type { Trace, Traced } from "./testing/trace/record.js"
export { withContext } from "./testing/within.js"
export type { WithContext } from "./testing/within.js"
