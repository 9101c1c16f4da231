export * from "./internal/testing/isolation.js"
export { trace } from "./internal/testing/trace.js"
export type { Trace, Traced, TraceEvent } from "./internal/testing/trace.js"
