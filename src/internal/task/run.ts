/**
 * Child tasks of promise code: functions, and effects.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Runtime from "effect/Runtime"
import { checkFunction, invalidArgument } from "../argument.js"
import { withBridge } from "../effect3/bridge.js"
import { stateOf } from "../effect3/fiber.js"
import { runFork as runForkIn, toError } from "../effect3/run.js"
import type { State } from "../effect3/state.js"
import { useBridge } from "./bridge.js"
import { makeTask, mergeChild, merges, stateForChild } from "./child.js"
import { capture, currentOrThrow, runIn } from "./current.js"
import type { Runner, Task } from "./task.js"

/** A context that a task can be started in: it gives itself to the task's state. */
export interface TaskContext {
  /** @internal */
  readonly "~aiocontext/install": (state: State) => State
}

/** How a child starts. */
export interface StartOptions {
  readonly context?: TaskContext
}

/** How an effect is run. */
export interface EffectOptions extends StartOptions {
  readonly signal?: AbortSignal
  readonly runtime?: Runtime.Runtime<any> | ManagedRuntime.ManagedRuntime<any, any>
}

const install = (operation: string, state: State, context: TaskContext | undefined): State => {
  if (context !== undefined && !context?.["~aiocontext/install"]) {
    throw invalidArgument(`${operation} takes a context of contextvars, as in { context: copyContext() }`, context)
  }
  return context === undefined ? state : context["~aiocontext/install"](state)
}

/** Runs a function as a child of the running task. What it changed in contexts that merge reaches the task when it succeeds. */
export const forkFunction = <A>(
  operation: string,
  f: (signal: AbortSignal) => A | PromiseLike<A>,
  { context, signal = new AbortController().signal }: StartOptions & { readonly signal?: AbortSignal } = {}
): Promise<A> => {
  const runner = currentOrThrow(operation)
  try {
    checkFunction(operation, f, `${operation}(async () => { … })`)
    const state = install(operation, stateForChild(runner), context)
    const child = makeTask(state)
    const result = runIn(child, async () => f(signal))
    return merges(state) ? thenMerge(result, child, capture(runner)) : result
  } catch (error) {
    // it is the child that fails: its map could not be made, or there is nothing to run
    return Promise.reject(error)
  }
}

// apart, so that a child which does not merge keeps nothing of its parent
const thenMerge = async <A>(result: Promise<A>, child: Task, parent: Runner): Promise<A> => {
  const value = await result
  mergeChild(parent, child.state)
  return value
}

/** Runs an effect as a child of a task, and gives its fiber. */
export const forkEffect = <A, E>(
  runner: Runner,
  effect: Effect.Effect<A, E, unknown>,
  { context, runtime, signal }: EffectOptions = {}
): Fiber.RuntimeFiber<A, E> => {
  useBridge()
  const state = install("compat.runFork", stateForChild(runner), context)
  const provided = runtime === undefined
    ? effect
    : Effect.provide(effect, runtime as Runtime.Runtime<any>) as Effect.Effect<A, E>
  const fiber = runForkIn<A, E>(withBridge(state), provided)
  if (merges(state)) {
    mergeAtEnd(fiber, capture(runner))
  }
  if (signal !== undefined) {
    const abort = () => fiber.unsafeInterruptAsFork(fiber.id())
    signal.addEventListener("abort", abort)
    fiber.addObserver(() => signal.removeEventListener("abort", abort))
    if (signal.aborted) {
      abort()
    }
  }
  return fiber
}

const mergeAtEnd = (fiber: Fiber.RuntimeFiber<unknown, unknown>, parent: Runner): void =>
  fiber.addObserver((exit) => {
    if (exit._tag === "Success") {
      mergeChild(parent, stateOf(fiber))
    }
  })

/** The promise of a fiber's value. */
export const toPromise = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): Promise<A> =>
  new Promise((resolve, reject) =>
    fiber.addObserver((exit) => exit._tag === "Success" ? resolve(exit.value) : reject(toError(exit.cause)))
  )
