/**
 * What the bridge knows of fibers, and what a fiber has of the code that starts it.
 */
import * as async from "#async"
import type { AsyncContext } from "../async/types.js"
import type { AnyFiber } from "../effect3/fiber.js"
import { globalValue } from "../global.js"
import { ambientFrom, setAmbient } from "../region/ambient.js"
import { stateForChild } from "./child.js"
import { locate, wholeOf } from "./current.js"
import { inheritLocals } from "./local.js"
import type { Runner, Task, TaskPart } from "./task.js"
import { BridgedFiber, shared } from "./task.js"

// On the fiber itself: with a `WeakMap` the collector would spend more on a short fiber than the bridge does.
const BridgedId: unique symbol = Symbol.for("aiocontext/fiber")

interface Holder {
  [BridgedId]?: BridgedFiber | undefined
}

/** What the bridge knows of a fiber. */
export const bridgedOf = (fiber: AnyFiber): BridgedFiber | undefined => (fiber as Holder)[BridgedId]

/** Says what the bridge knows of a fiber. */
export const setBridged = (fiber: AnyFiber, bridged: BridgedFiber | undefined): void => {
  ;(fiber as Holder)[BridgedId] = bridged
}

/** The task that this code is in, as far as async context goes. */
export const startingTask = (): Task | TaskPart | undefined => {
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
export const firstSeen = (fiber: AnyFiber): BridgedFiber => {
  let bridged = bridgedOf(fiber)
  if (bridged === undefined) {
    const startedIn = (fiber as { readonly [StartedInId]?: AsyncContext })[StartedInId]
    bridged = startedIn === undefined ? seenNow(fiber) : startedIn.runInAsyncScope(() => seenNow(fiber))
    setBridged(fiber, bridged)
  }
  return bridged
}

/**
 * The memo maps of layers, each with the fiber that first built with it. A fiber that has one among its services, and does
 * not descend from that fiber's building, has it from a captured context: it builds nothing.
 */
const builders = /* @__PURE__ */ globalValue("aiocontext/builders", () => new WeakMap<object, object>())

/** Whether a fiber that has this memo map builds a layer, as far as is known. */
export const isBuilding = (parent: AnyFiber, bridged: BridgedFiber | undefined, memoMap: object): boolean => {
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
