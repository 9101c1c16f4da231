/**
 * The bridge, as the engine sees it: what is different in the fibers that are under it.
 *
 * A fiber is under a bridge whose supervisor it has, and its children inherit. Such a fiber evaluates effects by way of the
 * bridge, has a scheduler around the one in force, and asks supervisors only where a user wants it to.
 */
import * as effect from "effect"
import { globalValue } from "../global.js"
import type { AnyFiber, FiberEffect, FiberInternals, Id } from "./fiber.js"
import { classOf, internalsOf, setState, stateOf, supervisorRefOf } from "./fiber.js"
import { force, unforce } from "./flags.js"
import type { BridgeHooks } from "./hooks.js"
import { BridgedScheduler } from "./scheduler.js"
import type { Change, State } from "./state.js"
import { onTop, taskId, valueOf, withStacks } from "./state.js"
import type { Bridge } from "./supervision.js"
import {
  BridgedSupervision,
  bridgeIn,
  bridgeOf,
  bridgesIn,
  BridgeSupervisor,
  isBridged,
  othersIn,
  zip
} from "./supervision.js"
import type { AnySupervisor } from "./supervisor.js"
import { none } from "./supervisor.js"

import FiberRef = effect.FiberRef

// Effect keeps supervisors in a fiber ref that is one a copy of Effect, and a process may have two: a CommonJS program
// that requires `effect` runs fibers of another copy than this module imports.
const supervisorRefs: Set<effect.FiberRef.FiberRef<AnySupervisor>> =
  /* @__PURE__ */ (() =>
    globalValue("aiocontext/supervisors", () => new Set<effect.FiberRef.FiberRef<AnySupervisor>>())
      .add(FiberRef.currentSupervisor))()

/** A state with a bridge, in place of another one or of none. */
const bridgedState = (state: State, id: Id, bridge: Bridge | undefined): State => {
  const changes: Array<Change> = []
  for (const ref of supervisorRefs) {
    const current = valueOf(state, ref)
    if (bridgesIn(current) !== (bridge ?? none)) {
      const supervisor = zip(othersIn(current), bridge ?? none)
      changes.push(supervisor === none ? [ref, undefined] : onTop(state, ref, supervisor, id))
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

/** Has a fiber take up an effect, in the async context of the caller. */
export const evaluate = (fiber: AnyFiber, effect: FiberEffect): void =>
  classOf(fiber).evaluateEffect.call(fiber, effect)

type Overrides = Pick<FiberInternals, "evaluateEffect" | "refreshRefCache" | "patchRuntimeFlags">

const makeOverrides = (hooks: BridgeHooks): Overrides => {
  const supervisions = new WeakMap<AnySupervisor, BridgedSupervision>()
  const schedulers = new WeakMap<object, BridgedScheduler>()
  return {
    // Whoever wakes a fiber, or starts it, has it evaluate effects.
    evaluateEffect(this: FiberInternals, effect: FiberEffect): void {
      hooks.evaluate(this, effect)
    },

    // A fiber keeps what its state says where it reads it each time. Under the bridge its scheduler and its supervisors are
    // those of its state, wrapped, whatever a region sets.
    refreshRefCache(this: FiberInternals): void {
      classOf(this).refreshRefCache.call(this)
      if (bridgeIn(this.currentSupervisor) === undefined) {
        return
      }
      const { currentScheduler: inner, currentSupervisor: all } = this
      let scheduler = schedulers.get(inner)
      if (scheduler === undefined) {
        scheduler = new BridgedScheduler(hooks, inner)
        schedulers.set(inner, scheduler).set(scheduler, scheduler)
      }
      this.currentScheduler = scheduler
      let supervision = supervisions.get(all)
      if (supervision === undefined) {
        supervision = new BridgedSupervision(hooks, all)
        supervisions.set(all, supervision)
      }
      this.currentSupervisor = supervision
    },

    patchRuntimeFlags(this: FiberInternals, flags: number, patch: number): number {
      return force(this, classOf(this).patchRuntimeFlags.call(this, flags, patch), patch)
    }
  }
}

/** What the library does with bridges. One a process: the first copy of the package makes it. */
export interface Bridging {
  readonly hooks: BridgeHooks
  readonly overrides: Overrides
}

let bridging: Bridging | undefined

/** Hands the engine what a bridge does. */
export const useHooks = (hooks: BridgeHooks): void => {
  bridging = globalValue("aiocontext/bridging", () => ({ hooks, overrides: makeOverrides(hooks) }))
}

/**
 * Sees to it that a fiber which has a bridge is scheduled and watched by it, whatever it was started with; takes it off a
 * fiber whose bridge is closed. Tells whether the fiber has one.
 */
export const keepBridged = (fiber: AnyFiber): boolean => {
  const { overrides } = bridging!
  const internals = internalsOf(fiber)
  if (!isBridged(fiber)) {
    dropBridge(fiber)
    return false
  }
  if (internals.refreshRefCache !== overrides.refreshRefCache) {
    internals.evaluateEffect = overrides.evaluateEffect
    internals.refreshRefCache = overrides.refreshRefCache
    internals.patchRuntimeFlags = overrides.patchRuntimeFlags
    internals.refreshRefCache()
  }
  force(internals, internals.currentRuntimeFlags)
  return true
}

const dropBridge = (fiber: AnyFiber): void => {
  const outer = bridgeOf(fiber)
  const state = bridgedState(stateOf(fiber), fiber.id(), outer)
  if (state === stateOf(fiber)) {
    return
  }
  if (outer === undefined) {
    // the last one first: V8 then takes the object for what it was before, and not for a hash table
    Reflect.deleteProperty(fiber, "patchRuntimeFlags")
    Reflect.deleteProperty(fiber, "refreshRefCache")
    Reflect.deleteProperty(fiber, "evaluateEffect")
    unforce(internalsOf(fiber))
    bridging!.hooks.leave(fiber)
  }
  setState(fiber, state)
}

/** Puts a fiber under a bridge of its own. */
export const enterBridge = (fiber: AnyFiber): Bridge => {
  supervisorRefs.add(supervisorRefOf(fiber))
  const bridge = new BridgeSupervisor(bridging!.hooks, bridgeOf(fiber))
  setState(fiber, bridgedState(stateOf(fiber), fiber.id(), bridge))
  keepBridged(fiber)
  return bridge
}

/** Closes a bridge, and takes it off the fiber that does so. Every other fiber drops it when it next runs. */
export const leaveBridge = (fiber: AnyFiber, bridge: Bridge): void => {
  bridge.closed = true
  dropBridge(fiber)
}

/** The bridge of runs that a runtime puts under one. It is never closed: what such a run has started goes on under it. */
const rootBridge = (): Bridge =>
  globalValue("aiocontext/rootBridge", () => new BridgeSupervisor(bridging!.hooks, undefined))

/** A state whose fibers run under a bridge. */
export const withBridge = (state: State): State =>
  bridgeIn(valueOf<AnySupervisor>(state, FiberRef.currentSupervisor)) === undefined
    ? bridgedState(state, taskId, rootBridge())
    : state

/** Puts a fiber without a parent under a bridge, just before it runs. */
export const startBridged = (fiber: AnyFiber): void => {
  supervisorRefs.add(supervisorRefOf(fiber))
  setState(fiber, bridgedState(stateOf(fiber), fiber.id(), rootBridge()))
  keepBridged(fiber)
  bridging!.hooks.start(fiber, undefined)
}
