/**
 * The scheduler of fibers under the bridge. It wraps the one in force: it runs tasks in the async context that they belong
 * to, and decides when a fiber lets others go on.
 */
import * as effect from "effect"
import * as Scheduler from "effect/Scheduler"
import type { AnyFiber } from "./fiber.js"
import { internalsOf, stateOf } from "./fiber.js"
import type { BridgeHooks } from "./hooks.js"
import type { State } from "./state.js"

import FiberRef = effect.FiberRef
import RuntimeFlags = effect.RuntimeFlags

// The rule of Effect's own schedulers, that of `runPromise` too: a fiber yields when it has done as many operations in a row
// as a fiber ref of its says.
const limiting: ReadonlyArray<unknown> = /* @__PURE__ */ (() => [
  Scheduler.MixedScheduler.prototype.shouldYield,
  Scheduler.SyncScheduler.prototype.shouldYield,
  Scheduler.defaultShouldYield
])()

/** The state for which a fiber's limit is known. Effect's schedulers look it up before every operation. */
const limit: { state: State | undefined; operations: number } = { state: undefined, operations: 0 }

/** Forgets the state of a fiber that has run. */
export const forgetLimit = (): void => {
  limit.state = undefined
}

export class BridgedScheduler implements Scheduler.Scheduler {
  constructor(readonly hooks: BridgeHooks, readonly inner: Scheduler.Scheduler) {}

  // runs before every operation
  shouldYield(fiber: AnyFiber): number | false {
    return stateOf(fiber) === limit.state && fiber.currentOpCount < limit.operations ? false : this.decide(fiber)
  }

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: AnyFiber): void {
    this.inner.scheduleTask(this.hooks.schedule(task, fiber), priority, fiber)
  }

  private decide(fiber: AnyFiber): number | false {
    const { hooks, inner } = this
    const { running } = hooks
    if (running?.fiber !== fiber) {
      // A fiber that runs outside its own async context (in a region that has just got the bridge) is sent through the
      // scheduler once, before it runs anything.
      return RuntimeFlags.cooperativeYielding(internalsOf(fiber).currentRuntimeFlags as never) && hooks.isBridged(fiber)
        ? fiber.getFiberRef(FiberRef.currentSchedulingPriority)
        : inner.shouldYield(fiber)
    }
    // A yield changes fiber refs, which would end the task of the code that has just been registered. Between that and the
    // wait for it, Effect has a few operations for the interruption. Not more: a loop of suspended effects looks the same,
    // and must yield.
    if (running.registering !== 0 && running.operation - running.registering < 16) {
      return false
    }
    if (limiting.includes(inner.shouldYield)) {
      limit.state = stateOf(fiber)
      limit.operations = fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield)
    }
    return inner.shouldYield(fiber)
  }
}
