/**
 * A controlled world: the clock, the timers and the order of fibers are the seed's, not the machine's.
 *
 * While a world is open, its code meets timers, `Date` and `Math.random` that are the world's, and the engine's default
 * scheduler hands it the tasks of its fibers.
 *
 * What the kit cannot steer it waits for: sockets, files and worker threads. Such a run works, and its order is only as
 * repeatable as they are.
 */
import { syncBuiltinESMExports } from "node:module"
import { fakeClock } from "./clock.js"
import { fakeConsole } from "./console.js"
import * as engine from "./engine.js"
import { currentOwner, ownerOf } from "./owner.js"
import { fakeTimers } from "./timers.js"

const interceptor: engine.Interceptor = {
  shouldYield: (fiber) => ownerOf(fiber)?.world.shouldYield(fiber) ?? false,
  scheduleTask: (task, fiber) => {
    const owner = fiber === undefined ? currentOwner() : ownerOf(fiber)
    owner?.world.scheduleTask(task, fiber, owner)
    return owner !== undefined
  }
}

const install = (): () => void => {
  const removals = [engine.intercept(interceptor), fakeConsole(), fakeTimers(), fakeClock()]
  syncBuiltinESMExports()
  return () => {
    removals.forEach((remove) => remove())
    syncBuiltinESMExports()
  }
}

let opened = 0
let uninstall = () => {}

/** From here on, code that belongs to a world meets its clock. Gives the function that ends that. */
export const open = (): () => void => {
  if (++opened === 1) {
    uninstall = install()
  }
  return () => {
    if (--opened === 0) {
      uninstall()
    }
  }
}
