/**
 * How a run went.
 */
import type { Trace } from "../trace/record.js"

/** A value that a request saw and that is another's. */
export interface Leak {
  readonly reader: string
  readonly owner: string
  readonly key: string
  readonly value: unknown
  /** How it was seen. */
  readonly seen: string
  /** Where the read stands, the innermost call first. */
  readonly read: ReadonlyArray<string>
  /** Where the owner's code took the value from the request. */
  readonly taken: ReadonlyArray<string>
  /** Who woke the reader last, and through what. */
  readonly woken: { readonly by: string; readonly via: string | undefined } | undefined
}

/** How a run went wrong. */
export type Failure =
  | { readonly _tag: "Leak"; readonly leak: Leak; readonly requests: readonly [reader: number, owner: number] }
  | { readonly _tag: "Threw"; readonly request: number | undefined; readonly error: unknown }
  | { readonly _tag: "Stuck"; readonly requests: ReadonlyArray<number>; readonly steps: number }

/** How a run went. */
export interface Outcome {
  readonly failure: Failure | undefined
  readonly steps: number
  readonly choices: ReadonlyArray<number>
  /** A line a step. */
  readonly trace: ReadonlyArray<string>
  /** What happened to the fibers of the requests, where the plan asks for it. */
  readonly fibers: Trace
}
