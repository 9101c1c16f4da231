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

interface WithBridged {
  [BridgedId]?: BridgedFiber | undefined
}

/** What the bridge knows of a fiber. */
export const bridgedOf = (fiber: AnyFiber): BridgedFiber | undefined => (fiber as WithBridged)[BridgedId]

/** Says what the bridge knows of a fiber. */
export const setBridged = (fiber: AnyFiber, bridged: BridgedFiber | undefined): void => {
  ;(fiber as WithBridged)[BridgedId] = bridged
}

/** The promise task that this code is in, as far as async context goes. A fiber's step is in the one that started the fiber. */
export const startingTask = (): Task | TaskPart | undefined => {
  const task = shared.storage.getStore()
  const source = task?._tag === "Task" ? task.source : task?.whole.source
  const starter = source === undefined ? task : source.starter
  return starter === shared.outside ? undefined : starter
}

/** Gives a fiber without a parent what the code that starts it has: once for all, wherever it enters a bridge again. */
export const inherit = (fiber: AnyFiber, starter: Runner | undefined = shared.storage.getStore()): void => {
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
  return new BridgedFiber(fiber, async.capture(), startingTask())
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
