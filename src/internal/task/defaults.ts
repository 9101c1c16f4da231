/**
 * What is started with a default runtime: with `Effect.runPromise` and its like.
 */
import { startBridged, withBridge } from "../effect3/bridge.js"
import type { AnyFiber } from "../effect3/fiber.js"
import { watchOtherCopies } from "../effect3/roots.js"
import { changeDefaultRuntimes } from "../effect3/run.js"
import type { State } from "../effect3/state.js"
import { taskId, withStacks } from "../effect3/state.js"
import { isBridged } from "../effect3/supervision.js"
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

const forNextRuns = (state: State): State => {
  if (defaults.bridges > 0) {
    return withBridge(state)
  }
  return defaults.notes ? withStacks(state, supervised(state, notes, taskId)) : state
}

/** The same for a run of another copy of Effect, whose default runtime cannot be reached. */
const startOther = (fiber: AnyFiber): void => {
  if (isBridged(fiber)) {
    return
  }
  if (defaults.bridges > 0) {
    startBridged(fiber)
  } else {
    noteStart(fiber)
  }
}

const change = (): void => {
  changeDefaultRuntimes(forNextRuns)
  watchOtherCopies(defaults.bridges > 0 || defaults.notes ? startOther : undefined)
}

/** Puts what is started with a default runtime under the bridge, for as long as one is open anywhere in the process. */
export const openBridge = (): void => {
  useBridge()
  defaults.bridges++
  change()
}

/** Closes what {@link openBridge} has opened. */
export const closeBridge = (): void => {
  defaults.bridges--
  change()
}

/**
 * From the first promise task on, takes note of the task in which a run is started. It may enter a bridge only later, as in a
 * `ManagedRuntime` that is not built yet, and then in the slice of whoever built it.
 */
export const noteStarts = (): void => {
  if (!defaults.notes) {
    useBridge()
    defaults.notes = true
    change()
  }
}
