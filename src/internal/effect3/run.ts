/**
 * Runs: how effects are started from outside of the engine.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { globalValue } from "../global.js"
import { servicesOf, type State } from "./state.js"

/** Starts a fiber with this very state. It can be interrupted, wherever the state is from. */
export const runFork = <A, E>(state: State, effect: Effect.Effect<A, E, unknown>): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    { ...Runtime.defaultRuntime, context: servicesOf(state) as Context.Context<unknown>, fiberRefs: state },
    effect,
    // without what Effect makes of it: it is a child's state already
    { updateRefs: () => state }
  )

/** What a promise rejects with where an effect failed. */
export const toError = (cause: Cause.Cause<unknown>): Error => Runtime.makeFiberFailure(cause)

type DefaultRuntime = { -readonly [K in keyof Runtime.Runtime<never>]: Runtime.Runtime<never>[K] }

// The runtime of `Effect.runPromise` and its like: one of each copy of Effect that a copy of this package has imported.
const defaultRuntimes: Set<DefaultRuntime> = /* @__PURE__ */ globalValue("aiocontext/defaultRuntimes", () => new Set())

const originals: Map<DefaultRuntime, State> = /* @__PURE__ */ globalValue("aiocontext/defaultStates", () => new Map())

/** Gives every default runtime of the process the state that `change` makes of its original one. */
export const changeDefaultRuntimes = (change: (original: State) => State): void => {
  defaultRuntimes.add(Runtime.defaultRuntime as DefaultRuntime)
  for (const runtime of defaultRuntimes) {
    const original = originals.get(runtime) ?? runtime.fiberRefs
    originals.set(runtime, original)
    runtime.fiberRefs = change(original)
  }
}
