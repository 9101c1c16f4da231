/**
 * The bridge: what happens to tasks when the engine starts, runs and suspends fibers.
 */
import * as async from "#async"
import { evaluate, keepBridged, useHooks } from "../effect3/bridge.js"
import type { AnyFiber, FiberEffect } from "../effect3/fiber.js"
import { isChildOf, isDone, isFiberRun, stateOf } from "../effect3/fiber.js"
import type { BridgeHooks } from "../effect3/hooks.js"
import { forgetLimit } from "../effect3/scheduler.js"
import { memoMapOf } from "../effect3/scope.js"
import { isBridged } from "../effect3/supervision.js"
import { globalValue } from "../global.js"
import { ambientOf, setAmbient } from "../region/ambient.js"
import { startFiber } from "../region/start.js"
import { locate } from "./current.js"
import { endLocals, inheritLocals, keepInherited, startLocals } from "./local.js"
import { bridgedOf, firstSeen, inherit, isBuilding, setBridged, startingTask } from "./starters.js"
import { beginStep, endStep } from "./step.js"
import type { Task } from "./task.js"
import { BridgedFiber, shared } from "./task.js"

const forget = (fiber: AnyFiber): void => {
  const bridged = bridgedOf(fiber)
  if (bridged !== undefined) {
    endStep(bridged)
    bridged.task = undefined
    setBridged(fiber, undefined)
  }
}

/** Operations that only arrange what comes next: no code of a user has run when the next one begins. */
const arranges = (operation: string): boolean => {
  switch (operation) {
    case "OnSuccess":
    case "OnFailure":
    case "OnSuccessAndFailure":
    case "OnStep":
    case "UpdateRuntimeFlags":
    case "WithRuntime":
      return true
    default:
      return false
  }
}

/** Runs a fiber until it next suspends, in its own async context. */
const runSlice = (bridged: BridgedFiber, effect: FiberEffect): void => {
  const { fiber } = bridged
  try {
    evaluate(fiber, effect)
  } finally {
    if (isDone(fiber)) {
      forget(fiber)
      endLocals(fiber)
    } else {
      if (bridged.registering === 0) {
        endStep(bridged)
      }
      if (bridged.next !== undefined) {
        bridged.context = bridged.next
        bridged.next = undefined
      } else if (!async.keepsWrites) {
        bridged.context = async.capture()
      }
    }
  }
}

class TaskBridge implements BridgeHooks {
  get running(): BridgedFiber | undefined {
    return shared.running
  }

  isBridged(fiber: AnyFiber): boolean {
    return isBridged(fiber)
  }

  keepBridged(fiber: AnyFiber): boolean {
    return keepBridged(fiber)
  }

  start(fiber: AnyFiber, parent: AnyFiber | undefined): void {
    startFiber(fiber, parent)
    if (parent === undefined) {
      inherit(fiber, locate() ?? startingTask())
      setBridged(fiber, new BridgedFiber(fiber, async.capture(), startingTask()))
      return
    }
    const holder = bridgedOf(parent)
    const memoMap = memoMapOf(fiber)
    const builds = memoMap !== undefined && isBuilding(parent, holder, memoMap)
    if (!builds) {
      // what a layer's building starts must not make one task of all that the layer's runtime runs later
      startLocals(fiber, parent)
      setAmbient(fiber, ambientOf(parent))
      if (holder === undefined) {
        return
      }
    }
    const isParentRunning = holder === undefined || shared.running === holder
    const context = isParentRunning ? async.capture() : holder.context.runInAsyncScope(async.capture)
    const bridged = new BridgedFiber(fiber, context, holder?.starter)
    if (builds) {
      bridged.builder = parent
      bridged.builds = memoMap
    } else {
      bridged.built = memoMap
    }
    setBridged(fiber, bridged)
  }

  schedule(task: () => void, fiber: AnyFiber | undefined): () => void {
    if (isFiberRun(fiber, task)) {
      return task
    }
    const bridged = fiber && bridgedOf(fiber)
    if (bridged !== undefined) {
      // what is first done on a fiber's behalf is not its own run: an operation waits for it, as `Effect.all` does
      bridged.builder = undefined
    }
    const context = async.capture()
    return () => context.runInAsyncScope(task)
  }

  evaluate(fiber: AnyFiber, effect: FiberEffect): void {
    const starter = bridgedOf(fiber)?.starter
    if (!keepBridged(fiber)) {
      // it has left the bridge: its code is in no step of its any more
      shared.storage.run(starter as Task, () => evaluate(fiber, effect))
      return
    }
    const bridged = firstSeen(fiber)
    if (bridged.builder !== undefined) {
      this.leaveBuilding(bridged, bridged.builder)
    }
    const before = shared.running
    bridged.registering = 0
    endStep(bridged)
    shared.running = bridged
    try {
      bridged.context.runInAsyncScope(runSlice, undefined, bridged, effect)
    } finally {
      shared.running = before
      forgetLimit()
    }
  }

  /** A fiber that a layer starts and that outlives its building belongs to no request. */
  private leaveBuilding(bridged: BridgedFiber, builder: AnyFiber): void {
    const { fiber } = bridged
    if (!isChildOf(fiber, builder)) {
      bridged.built = memoMapOf(fiber)
      bridged.context = async.root.runInAsyncScope(async.capture)
      bridged.starter = undefined
      inheritLocals(fiber, shared.outside, { inTask: false })
      setAmbient(fiber, undefined)
    }
    bridged.builder = undefined
  }

  suspend(fiber: AnyFiber): void {
    firstSeen(fiber)
  }

  operate(effect: FiberEffect): void {
    const running = shared.running!
    running.operation++
    if (running.state !== stateOf(running.fiber)) {
      if (!keepBridged(running.fiber)) {
        return
      }
      keepInherited(running.fiber)
      // not what the registering code wrote, which is known already: the fiber has gone on
      running.registering = 0
      beginStep(running, { waits: false })
    }
    const { _op: operation } = effect as unknown as { readonly _op: string }
    if (operation === "Commit" || operation === "Async") {
      this.register(running)
    } else if (running.registering !== 0 && !arranges(operation)) {
      running.registering = 0
    }
  }

  /** The running fiber is about to let a user's code register a callback. */
  private register(running: BridgedFiber): void {
    if (running.registering === 0) {
      beginStep(running, { waits: true })
      running.registering = running.operation
    }
  }

  leave(fiber: AnyFiber): void {
    const starter = bridgedOf(fiber)?.starter
    forget(fiber)
    if (shared.running?.fiber === fiber) {
      shared.running = undefined
      shared.storage.enterWith(starter)
    }
  }
}

/** Has the engine call the bridge: that of the first copy of the package in the process. */
export const useBridge = (): void => {
  useHooks(globalValue("aiocontext/bridge", () => new TaskBridge()))
}
