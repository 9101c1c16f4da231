/**
 * The bridge, as the engine sees it: a supervisor that children inherit, a scheduler around the one in force, and what a
 * bridged fiber does in another way than its class.
 */
import * as effect from "effect"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AnyFiber, FiberEffect, FiberInternals, Id } from "./fiber.js"
import { classOf, internalsOf, setState, stateOf } from "./fiber.js"
import type { BridgeHooks } from "./hooks.js"
import { force, isAsked, release, unforce } from "./flags.js"
import { BridgedScheduler } from "./scheduler.js"
import type { Change, State } from "./state.js"
import { onTop, taskId, valueOf, withStacks } from "./state.js"
import type { AnySupervisor } from "./supervisor.js"
import { none } from "./supervisor.js"
import { globalValue } from "../global.js"

import FiberRef = effect.FiberRef
import Supervisor = effect.Supervisor

/** One provision of the bridge: in force until its scope is closed. */
export interface Bridge extends effect.Supervisor.Supervisor<any> {
  readonly _tag: "aiocontext/Bridge"
  readonly outer: Bridge | undefined
  closed: boolean
}

// Told by its tag: another copy of the package may have made it.
const isBridge = (supervisor: AnySupervisor): supervisor is Bridge => supervisor._tag === "aiocontext/Bridge"

const isSupervision = (supervisor: AnySupervisor): supervisor is BridgedSupervision =>
  supervisor._tag === "aiocontext/Supervision"

/** The bridge among supervisors, if one is in force. */
const bridgeIn = (supervisor: AnySupervisor | undefined): Bridge | undefined => {
  if (supervisor === undefined) {
    return undefined
  }
  if (isBridge(supervisor)) {
    return supervisor.closed ? bridgeIn(supervisor.outer) : supervisor
  }
  return isSupervision(supervisor)
    ? bridgeIn(supervisor.all)
    : bridgeIn(supervisor.left) ?? bridgeIn(supervisor.right)
}

const bridgeOf = (fiber: AnyFiber): Bridge | undefined => bridgeIn(internalsOf(fiber).currentSupervisor)

/** Whether a fiber runs under a bridge. */
export const isBridged = (fiber: AnyFiber): boolean => bridgeOf(fiber) !== undefined

// -----------------------------------------------------------------------------------------------------------------
// supervisors
// -----------------------------------------------------------------------------------------------------------------

const zip = (left: AnySupervisor, right: AnySupervisor): AnySupervisor => {
  if (left === none || right === none) {
    return left === none ? right : left
  }
  return left.zip(right)
}

/** The supervisors that are no bridges: the very same where there is none. */
const othersIn = (supervisor: AnySupervisor): AnySupervisor => {
  const { left, right } = supervisor
  if (left === undefined || right === undefined) {
    return isBridge(supervisor) ? none : supervisor
  }
  const [first, second] = [othersIn(left), othersIn(right)]
  return first === left && second === right ? supervisor : zip(first, second)
}

/** What a bridged fiber has in place of its supervisors: it asks those of users only where they asked for it. */
class BridgedSupervision extends Supervisor.AbstractSupervisor<any> {
  readonly _tag = "aiocontext/Supervision"
  override readonly value: Effect.Effect<any>
  readonly others: AnySupervisor
  constructor(readonly hooks: BridgeHooks, readonly all: AnySupervisor) {
    super()
    this.value = all.value
    this.others = othersIn(all)
  }

  override onStart<A, E, R>(
    context: Context.Context<R>,
    effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    this.all.onStart(context, effect, parent, fiber)
  }

  override onEnd<A, E>(exit: effect.Exit.Exit<A, E>, fiber: Fiber.RuntimeFiber<A, E>): void {
    this.others.onEnd(exit, fiber)
  }

  // runs before every operation of every fiber under the bridge
  override onEffect(fiber: AnyFiber, effect: FiberEffect): void {
    if (isAsked(internalsOf(fiber))) {
      this.others.onEffect(fiber, effect)
    }
    release(internalsOf(fiber), effect)
    if (this.hooks.running?.fiber === fiber) {
      this.hooks.operate(effect)
    } else {
      keepBridged(fiber)
    }
  }

  override onSuspend(fiber: AnyFiber): void {
    this.others.onSuspend(fiber)
  }

  override onResume(fiber: AnyFiber): void {
    this.others.onResume(fiber)
  }
}

class BridgeSupervisor extends Supervisor.AbstractSupervisor<void> implements Bridge {
  override readonly value: Effect.Effect<void> = Effect.void
  readonly _tag = "aiocontext/Bridge"
  closed = false
  constructor(readonly hooks: BridgeHooks, readonly outer: Bridge | undefined) {
    super()
  }

  override onStart<A, E, R>(
    _context: Context.Context<R>,
    _effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    if (keepBridged(fiber)) {
      this.hooks.start(fiber, Option.getOrUndefined(parent))
    }
  }

  // a fiber that got the bridge by a join, or from a runtime, has not been seen yet
  override onEffect(fiber: AnyFiber): void {
    keepBridged(fiber)
  }

  override onSuspend(fiber: AnyFiber): void {
    if (this.hooks.running?.fiber !== fiber && keepBridged(fiber)) {
      this.hooks.suspend(fiber)
    }
  }
}

// Effect keeps supervisors in a fiber ref that is one a copy of Effect, and a process may have two: a CommonJS program
// that requires `effect` runs fibers of another copy than this module imports.
const supervisorRefs: Set<effect.FiberRef.FiberRef<AnySupervisor>> = /* @__PURE__ */ (() =>
  globalValue("aiocontext/supervisors", () => new Set<effect.FiberRef.FiberRef<AnySupervisor>>())
    .add(FiberRef.currentSupervisor))()

// A fiber's class names the ref when it reads its refs: from something that gives the refs themselves.
const learnSupervisorRef = (fiber: AnyFiber): void => {
  const reader: { readonly currentSupervisor?: { readonly ref: effect.FiberRef.FiberRef<AnySupervisor> } } = {
    getFiberRef: (ref: unknown) => ({ ref, unsafeMap: new Map() })
  } as {}
  classOf(fiber).refreshRefCache.call(reader)
  supervisorRefs.add(reader.currentSupervisor!.ref)
}

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

/** The bridges among supervisors: `none`, one, or two that are zipped. */
const bridgesIn = (supervisor: AnySupervisor): AnySupervisor => {
  const { left, right } = supervisor
  return left === undefined || right === undefined
    ? isBridge(supervisor) ? supervisor : none
    : zip(bridgesIn(left), bridgesIn(right))
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
    Reflect.deleteProperty(fiber, "evaluateEffect")
    Reflect.deleteProperty(fiber, "refreshRefCache")
    Reflect.deleteProperty(fiber, "patchRuntimeFlags")
    unforce(internalsOf(fiber))
    bridging!.hooks.leave(fiber)
  }
  setState(fiber, state)
}

/** Puts a fiber under a bridge of its own. */
export const enterBridge = (fiber: AnyFiber): Bridge => {
  learnSupervisorRef(fiber)
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

/** A state whose fibers run under a bridge. */
export const withBridge = (state: State): State =>
  bridgeIn(valueOf<AnySupervisor>(state, FiberRef.currentSupervisor)) === undefined
    ? bridgedState(state, taskId, new BridgeSupervisor(bridging!.hooks, undefined))
    : state
