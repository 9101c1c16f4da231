/**
 * Fibers: what the library needs of them, also what their published type leaves out.
 */
import * as effect from "effect"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import type * as Supervisor from "effect/Supervisor"
import type { State } from "./state.js"

import FiberId = effect.FiberId
import FiberRef = effect.FiberRef

/** A running or finished fiber. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** What a fiber evaluates. */
export type FiberEffect = Effect.Effect<unknown, unknown>

/** Who wrote a value. */
export type Id = FiberId.Runtime

/** The class behind a `RuntimeFiber` has these, and its interface has not. CONTRIBUTING.md says what each is needed for. */
export interface FiberInternals extends AnyFiber {
  readonly _fiberRefs: State
  readonly run: () => void
  getChildren(): Set<AnyFiber>
  evaluateEffect(effect: FiberEffect): void
  currentRuntimeFlags: number
  patchRuntimeFlags(flags: number, patch: number): number
  setFiberRefs(state: State): void
  refreshRefCache(this: unknown): void
  currentScheduler: Scheduler.Scheduler
  currentSupervisor: Supervisor.Supervisor<unknown>
}

/** The fiber, with what its interface leaves out. */
export const internalsOf = (fiber: AnyFiber): FiberInternals => fiber as FiberInternals

/** What the fiber's class does where the fiber itself does something else. */
export const classOf = (fiber: AnyFiber): FiberInternals => Object.getPrototypeOf(fiber)

/** Where the copy of Effect that a fiber is of keeps supervisors: a fiber's class names the ref when it reads its refs. */
export const supervisorRefOf = (fiber: AnyFiber): FiberRef.FiberRef<Supervisor.Supervisor<unknown>> => {
  // it reads them from something that gives the refs themselves
  const reader: { readonly currentSupervisor?: { readonly ref: FiberRef.FiberRef<Supervisor.Supervisor<unknown>> } } = {
    getFiberRef: (ref: unknown) => ({ ref, unsafeMap: new Map() })
  } as {}
  classOf(fiber).refreshRefCache.call(reader)
  return reader.currentSupervisor!.ref
}

/** The fiber that runs this code, if one does. */
export const currentFiber = (): AnyFiber | undefined =>
  (globalThis as { ["effect/FiberCurrent"]?: AnyFiber })["effect/FiberCurrent"]

/** Makes the engine's global known to readers: one that is there from the start is read several times as fast. */
export const declareCurrentFiber = (): void => {
  Object.assign(globalThis, { ["effect/FiberCurrent"]: currentFiber() })
}

/** The state of a fiber, as it is now. Costs nothing, where `getFiberRefs()` makes an object at each call. */
export const stateOf = (fiber: AnyFiber): State => (fiber as FiberInternals)._fiberRefs

/** Replaces the state of a fiber that is suspended or runs the caller. */
export const setState = (fiber: AnyFiber, state: State): void => (fiber as FiberInternals).setFiberRefs(state)

/** Has the next state that a fiber is given go through a function first, once: that of a join, which is just being made. */
export const changeNextState = (fiber: AnyFiber, change: (state: State) => State): void => {
  if (!Object.hasOwn(fiber, "setFiberRefs")) {
    internalsOf(fiber).setFiberRefs = (state) => {
      Reflect.deleteProperty(fiber, "setFiberRefs")
      setState(fiber, change(state))
    }
  }
}

/** The service of a tag that a fiber has, if it is there. */
export const serviceOfFiber = (fiber: AnyFiber, key: string): unknown => fiber.currentContext.unsafeMap.get(key)

/** All services that a fiber has. */
export const servicesOfFiber = (fiber: AnyFiber): Iterable<unknown> => fiber.currentContext.unsafeMap.values()

/** Whether a fiber has ended. */
export const isDone = (fiber: AnyFiber): boolean => fiber.unsafePoll() !== null

/** Whether a parent waits for this child when it ends: not so for daemons and for what a scope keeps. */
export const isChildOf = (fiber: AnyFiber, parent: AnyFiber): boolean => internalsOf(parent).getChildren().has(fiber)

/** Whether a task of the scheduler is the fiber itself, taking up its work. */
export const isFiberRun = (fiber: AnyFiber | undefined, task: () => void): boolean =>
  fiber !== undefined && internalsOf(fiber).run === task

/** An effect of the fiber that runs it. */
export const withFiber = <A, E = never, R = never>(
  f: (fiber: AnyFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiberRuntime(f)

/** Something that the fiber which runs it does at once. One operation, where `withFiber` takes two. */
export const syncWithFiber = <A>(f: (fiber: AnyFiber) => A): Effect.Effect<A> => Effect.sync(() => f(currentFiber()!))

/**
 * Has a fiber that is about to start die of an error, in place of what it was to run. Not so where its parent does not wait
 * for it (a daemon, what a scope keeps, a worker of a concurrent `Stream`): there others may wait for what it was to do first,
 * and would wait for ever.
 */
export const failAtStart = (fiber: AnyFiber, parent: AnyFiber | undefined, error: unknown): void => {
  const starting = internalsOf(fiber)
  const own = Object.getOwnPropertyDescriptor(starting, "evaluateEffect")
  starting.evaluateEffect = (effect) => {
    if (own === undefined) {
      Reflect.deleteProperty(starting, "evaluateEffect")
    } else {
      Object.defineProperty(starting, "evaluateEffect", own)
    }
    // whose child it is, is known by now, and not when it was made
    starting.evaluateEffect(parent === undefined || isChildOf(fiber, parent) ? Effect.die(error) : effect)
  }
}
