/**
 * State that is one a process, and what the library says on a major of Effect that it cannot run on.
 *
 * ES modules are linked before any of them runs: on Effect 4 an import of `effect/GlobalValue` or `effect/FiberRef` ends
 * in a missing file, without a reason. The root module is there in both majors, and a member that it lacks is
 * `undefined`, which is found here before any other module of the library needs it. So what only Effect 3 has is taken
 * from the root.
 */
import * as effect from "effect"

if (effect.GlobalValue === undefined) {
  throw new Error("aiocontext 1.x needs Effect 3, not the one installed: npm i effect@3")
}

/** A value that all copies of the package in a process share: made by the first that asks for it. */
export const globalValue: typeof effect.GlobalValue.globalValue = effect.GlobalValue.globalValue
