/**
 * What is started with a default runtime: with `Effect.runPromise` and its like.
 */
import { withBridge } from "../effect3/bridge.js"
import { changeDefaultRuntimes } from "../effect3/run.js"
import type { State } from "../effect3/state.js"
import { taskId, withStacks } from "../effect3/state.js"
import { StartSupervisor, supervised } from "../effect3/supervisor.js"
import { globalValue } from "../global.js"
import { useBridge } from "./bridge.js"
import { noteStart } from "./starters.js"

const defaults = /* @__PURE__ */ globalValue("aiocontext/defaults", () => ({ bridges: 0, notes: false }))

const notes = /* @__PURE__ */ globalValue("aiocontext/notes", () =>
  new StartSupervisor((fiber, parent) => {
    if (parent === undefined) {
      noteStart(fiber)
    }
  }))

const changed = (state: State): State => {
  if (defaults.bridges > 0) {
    return withBridge(state)
  }
  return defaults.notes ? withStacks(state, supervised(state, notes, taskId)) : state
}

/** Puts what is started with a default runtime under the bridge, for as long as one is open anywhere in the process. */
export const openBridge = (): void => {
  useBridge()
  defaults.bridges++
  changeDefaultRuntimes(changed)
}

/** Closes what {@link openBridge} has opened. */
export const closeBridge = (): void => {
  defaults.bridges--
  changeDefaultRuntimes(changed)
}

/**
 * From the first promise task on, takes note of the task in which a run is started. It may enter a bridge only later, as in a
 * `ManagedRuntime` that is not built yet, and then in the slice of whoever built it.
 */
export const noteStarts = (): void => {
  if (!defaults.notes) {
    useBridge()
    defaults.notes = true
    changeDefaultRuntimes(changed)
  }
}
