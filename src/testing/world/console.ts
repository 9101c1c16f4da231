/**
 * What code in a world prints: its owner's world is told, and the terminal is not.
 */
import { currentOwner } from "./owner.js"

const methods = ["debug", "error", "info", "log", "trace", "warn"] as const

/** Puts the world's console in the place of the process's; gives the function that puts that back. */
export const fakeConsole = (): () => void => {
  const before = { ...console }
  for (const method of methods) {
    console[method] = (...values: Array<unknown>) => {
      const owner = currentOwner()
      if (owner === undefined) {
        before[method](...values)
      } else {
        owner.world.observer.printed(values, owner)
      }
    }
  }
  return () => {
    for (const method of methods) {
      console[method] = before[method]
    }
  }
}
