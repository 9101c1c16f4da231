/**
 * The bridge: what happens to tasks when the engine starts, runs and suspends fibers.
 */
import * as async from "#async"
import type { AsyncContext } from "../async/types.js"
import { evaluate, isBridged, keepBridged, useHooks } from "../effect3/bridge.js"
import type { AnyFiber, FiberEffect } from "../effect3/fiber.js"
import { isChildOf, isDone, isFiberRun, stateOf } from "../effect3/fiber.js"
import type { BridgeHooks } from "../effect3/hooks.js"
import { forgetLimit } from "../effect3/scheduler.js"
import { memoMapOf } from "../effect3/scope.js"
import { globalValue } from "../global.js"
import { ambientFrom, ambientOf, setAmbient } from "../region/ambient.js"
import { startFiber } from "../region/start.js"
import { stateForChild } from "./child.js"
import { locate, wholeOf } from "./current.js"
import { endLocals, inheritLocals, startLocals } from "./local.js"
import { beginStep, endStep } from "./step.js"
import type { Runner, Task, TaskPart } from "./task.js"
import { BridgedFiber, shared } from "./task.js"

// On the fiber itself: with a `WeakMap` the collector would spend more on a short fiber than the bridge does.
const BridgedId: unique symbol = Symbol.for("aiocontext/fiber")

interface Holder {
  [BridgedId]?: BridgedFiber | undefined
}

/** What the bridge knows of a fiber. */
export const bridgedOf = (fiber: AnyFiber): BridgedFiber | undefined => (fiber as Holder)[BridgedId]

const setBridged = (fiber: AnyFiber, bridged: BridgedFiber | undefined): void => {
  ;(fiber as Holder)[BridgedId] = bridged
}

/** The task that this code is in, as far as async context goes. */
const startingTask = (): Task | TaskPart | undefined => {
  const task = shared.storage.getStore()
  return task === shared.outside ? undefined : task
}

/** Gives a fiber without a parent what the code that starts it has: once for all, wherever it enters a bridge again. */
export const inherit = (fiber: AnyFiber, starter: Runner | undefined = startingTask()): void => {
  if (BridgedId in fiber) {
    return
  }
  setBridged(fiber, undefined)
  const inTask = starter !== undefined && wholeOf(starter) !== shared.outside
  inheritLocals(fiber, starter ?? shared.outside, { inTask })
  if (inTask) {
    setAmbient(fiber, ambientFrom(stateForChild(starter)))
  }
}

// The async context that a fiber was started in, where it was started in a task and outside every bridge.
const StartedInId: unique symbol = Symbol.for("aiocontext/startedIn")

/** A fiber without a parent is about to start outside every bridge: it may enter one later, in somebody else's slice. */
export const noteStart = (fiber: AnyFiber): void => {
  if (startingTask() !== undefined) {
    inherit(fiber, locate())
    Object.defineProperty(fiber, StartedInId, { value: async.capture() })
  }
}

const seenNow = (fiber: AnyFiber): BridgedFiber => {
  inherit(fiber)
  const task = startingTask()
  // another fiber's step is where this one was woken, and not where it was started
  const starter = task?._tag === "Task" && task.source !== undefined ? undefined : task
  return new BridgedFiber(fiber, async.capture(), starter)
}

/** What the bridge knows of a fiber that it has not seen start. */
const firstSeen = (fiber: AnyFiber): BridgedFiber => {
  let bridged = bridgedOf(fiber)
  if (bridged === undefined) {
    const startedIn = (fiber as { readonly [StartedInId]?: AsyncContext })[StartedInId]
    bridged = startedIn === undefined ? seenNow(fiber) : startedIn.runInAsyncScope(() => seenNow(fiber))
    setBridged(fiber, bridged)
  }
  return bridged
}

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

/**
 * The memo maps of layers, each with the fiber that first built with it. A fiber that has one among its services, and does
 * not descend from that fiber's building, has it from a captured context: it builds nothing.
 */
const builders = /* @__PURE__ */ globalValue("aiocontext/builders", () => new WeakMap<object, object>())

/** Whether a fiber that has this memo map builds a layer, as far as is known. */
const isBuilding = (parent: AnyFiber, bridged: BridgedFiber | undefined, memoMap: object): boolean => {
  if (memoMap === bridged?.built) {
    return false
  }
  const first = builders.get(memoMap)
  if (first === undefined) {
    builders.set(memoMap, parent.id())
    return true
  }
  return first === parent.id() || bridged?.builder !== undefined || bridged?.builds === memoMap
}

class TaskBridge implements BridgeHooks {
  get running(): BridgedFiber | undefined {
    return shared.running
  }

  isBridged(fiber: AnyFiber): boolean {
    return isBridged(fiber)
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
