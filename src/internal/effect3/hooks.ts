/**
 * What a bridge does when the engine starts, runs and suspends fibers.
 */
import type { AnyFiber, FiberEffect } from "./fiber.js"

/** A fiber whose slice runs now, in its own async context. */
export interface Running {
  readonly fiber: AnyFiber
  /** The operation in which a user's code registered a callback, and no other code of a user has run since; else 0. */
  readonly registering: number
  /** How many operations the fiber has begun. */
  readonly operation: number
}

/** What a bridge does when the engine starts, runs and suspends fibers. */
export interface BridgeHooks {
  readonly running: Running | undefined
  /** Whether a fiber is under a bridge. */
  isBridged(fiber: AnyFiber): boolean
  /** Sees to it that a fiber under a bridge is run and watched by it. Tells whether it is under one. */
  keepBridged(fiber: AnyFiber): boolean
  /** A child is about to start. `parent` is undefined for the root of a run. */
  start(fiber: AnyFiber, parent: AnyFiber | undefined): void
  /** What to schedule so that a task runs in the async context that it belongs to. */
  schedule(task: () => void, fiber: AnyFiber | undefined): () => void
  /** Has a fiber take up an effect, until it next suspends, in its own async context. */
  evaluate(fiber: AnyFiber, effect: FiberEffect): void
  /** A fiber that got the bridge from what another one had, and has not been scheduled since, waits for the first time. */
  suspend(fiber: AnyFiber): void
  /** The running fiber is about to do its next operation. */
  operate(effect: FiberEffect): void
  /** The fiber leaves the bridge. */
  leave(fiber: AnyFiber): void
}
