/**
 * The supervisors of a bridge: one that children inherit, and what a bridged fiber has in place of its own.
 */
import * as effect from "effect"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AnyFiber, FiberEffect } from "./fiber.js"
import { internalsOf } from "./fiber.js"
import { isAsked, release } from "./flags.js"
import type { BridgeHooks } from "./hooks.js"
import type { AnySupervisor } from "./supervisor.js"
import { none } from "./supervisor.js"

import Supervisor = effect.Supervisor

/** One provision of the bridge: in force until its scope is closed. */
export interface Bridge extends effect.Supervisor.Supervisor<unknown> {
  readonly _tag: "aiocontext/Bridge"
  readonly outer: Bridge | undefined
  closed: boolean
}

// Told by its tag: another copy of the package may have made it.
const isBridge = (supervisor: AnySupervisor): supervisor is Bridge => supervisor._tag === "aiocontext/Bridge"

const isSupervision = (supervisor: AnySupervisor): supervisor is BridgedSupervision =>
  supervisor._tag === "aiocontext/Supervision"

/** The bridge among supervisors, if one is in force. */
export const bridgeIn = (supervisor: AnySupervisor | undefined): Bridge | undefined => {
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

/** The bridge that a fiber is under, if it is. */
export const bridgeOf = (fiber: AnyFiber): Bridge | undefined => bridgeIn(internalsOf(fiber).currentSupervisor)

/** Whether a fiber runs under a bridge. */
export const isBridged = (fiber: AnyFiber): boolean => bridgeOf(fiber) !== undefined

// -----------------------------------------------------------------------------------------------------------------
// supervisors
// -----------------------------------------------------------------------------------------------------------------

/** Two supervisors as one. */
export const zip = (left: AnySupervisor, right: AnySupervisor): AnySupervisor => {
  if (left === none || right === none) {
    return left === none ? right : left
  }
  return left.zip(right)
}

/** The supervisors that are no bridges: the very same where there is none. */
export const othersIn = (supervisor: AnySupervisor): AnySupervisor => {
  const { left, right } = supervisor
  if (left === undefined || right === undefined) {
    return isBridge(supervisor) ? none : supervisor
  }
  const [first, second] = [othersIn(left), othersIn(right)]
  return first === left && second === right ? supervisor : zip(first, second)
}

/** What a bridged fiber has in place of its supervisors: it asks those of users only where they asked for it. */
export class BridgedSupervision extends Supervisor.AbstractSupervisor<unknown> {
  readonly _tag = "aiocontext/Supervision"
  override readonly value: Effect.Effect<unknown>
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
      this.hooks.keepBridged(fiber)
    }
  }

  override onSuspend(fiber: AnyFiber): void {
    this.others.onSuspend(fiber)
  }

  override onResume(fiber: AnyFiber): void {
    this.others.onResume(fiber)
  }
}

/** What children inherit: it learns of their start. */
export class BridgeSupervisor extends Supervisor.AbstractSupervisor<void> implements Bridge {
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
    if (this.hooks.keepBridged(fiber)) {
      this.hooks.start(fiber, Option.getOrUndefined(parent))
    }
  }

  // a fiber that got the bridge by a join, or from a runtime, has not been seen yet
  override onEffect(fiber: AnyFiber): void {
    this.hooks.keepBridged(fiber)
  }

  override onSuspend(fiber: AnyFiber): void {
    if (this.hooks.running?.fiber !== fiber && this.hooks.keepBridged(fiber)) {
      this.hooks.suspend(fiber)
    }
  }
}

/** The bridges among supervisors: `none`, one, or two that are zipped. */
export const bridgesIn = (supervisor: AnySupervisor): AnySupervisor => {
  const { left, right } = supervisor
  return left === undefined || right === undefined
    ? isBridge(supervisor) ? supervisor : none
    : zip(bridgesIn(left), bridgesIn(right))
}
