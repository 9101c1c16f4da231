/**
 * Supervisors: how the library learns that a fiber starts.
 */
import * as effect from "effect"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AnyFiber, Id } from "./fiber.js"
import type { Change, State } from "./state.js"
import { held, initialOf, onTop, valueOf } from "./state.js"

import FiberRef = effect.FiberRef
import Supervisor = effect.Supervisor

/** A supervisor, perhaps two that are zipped, perhaps one of ours. */
export interface AnySupervisor extends effect.Supervisor.Supervisor<unknown> {
  readonly _tag?: unknown
  readonly left?: AnySupervisor
  readonly right?: AnySupervisor
}

/** The supervisor that does nothing. */
export const none: AnySupervisor = /* @__PURE__ */ (() => initialOf<AnySupervisor>(FiberRef.currentSupervisor))()

/** Calls a function with each child that is about to start. */
export class StartSupervisor extends Supervisor.AbstractSupervisor<void> {
  override readonly value: Effect.Effect<void> = Effect.void
  constructor(readonly start: (fiber: AnyFiber, parent: AnyFiber | undefined) => void) {
    super()
  }

  override onStart<A, E, R>(
    _context: Context.Context<R>,
    _effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    this.start(fiber, Option.getOrUndefined(parent))
  }
}

const contains = (all: AnySupervisor, supervisor: AnySupervisor): boolean =>
  all === supervisor || (all.left !== undefined && contains(all.left, supervisor)) ||
  (all.right !== undefined && contains(all.right, supervisor))

/** What a state is to hold for a supervisor to be among those of its task: nothing more where it is. */
export const supervised = (state: State, supervisor: AnySupervisor, id: Id): ReadonlyArray<Change> => {
  const current = valueOf<AnySupervisor>(state, FiberRef.currentSupervisor)
  return contains(current, supervisor)
    ? []
    : [onTop(state, FiberRef.currentSupervisor, current === none ? supervisor : current.zip(supervisor), id)]
}

/** What the supervisors of a state are. */
export const heldSupervisor = (state: State): Change => held(state, FiberRef.currentSupervisor)
