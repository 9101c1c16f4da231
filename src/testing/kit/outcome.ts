/**
 * How a run went.
 */
import type { Trace } from "../trace/record.js"

/**
 * Who made a request go on, and through what.
 *
 * @since 1.0.0
 * @category models
 */
export interface Wake {
  readonly by: string
  readonly via: string | undefined
}

/**
 * A value that a request saw and that is another's.
 *
 * @since 1.0.0
 * @category models
 */
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
  readonly woken: Wake | undefined
}

/**
 * What a request that does not end waits on, as far as it is known.
 *
 * @since 1.0.0
 * @category models
 */
export interface Waits {
  readonly request: string
  /** The primitives of Effect, the innermost first, such as `a Semaphore` and `a Pool`; none for a callback of the user's. */
  readonly on: ReadonlyArray<string>
  /** Where in the user's code, the innermost line first. */
  readonly at: ReadonlyArray<string>
  /** Who made the request go on last, and through what. */
  readonly woken: Wake | undefined
}

/**
 * How a run went wrong.
 *
 * @since 1.0.0
 * @category models
 */
export type Failure =
  | { readonly _tag: "Leak"; readonly leak: Leak; readonly requests: readonly [reader: number, owner: number] }
  | { readonly _tag: "Threw"; readonly request: number | undefined; readonly error: unknown }
  | {
    readonly _tag: "Stuck"
    readonly requests: ReadonlyArray<number>
    readonly steps: number
    /** For the first of the requests, in a run that is explained. */
    readonly waits: ReadonlyArray<Waits>
  }

/** How a run went. */
export interface Outcome {
  readonly failure: Failure | undefined
  readonly steps: number
  readonly choices: ReadonlyArray<number>
  /** The requests that began, in their order. */
  readonly begun: ReadonlyArray<number>
  /** A line a step. */
  readonly trace: ReadonlyArray<string>
  /** What happened to the fibers of the requests, where the plan asks for it. */
  readonly fibers: Trace
}
