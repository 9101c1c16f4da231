/**
 * Fibers without a parent that another copy of Effect starts.
 *
 * A program that requires `effect` has another copy than this module imports, with a default runtime that nothing leads to. But
 * all copies in a process put the fibers that have no parent into one scope, just before such a fiber runs.
 */
import * as effect from "effect"
import { globalValue } from "../global.js"
import { type AnyFiber, supervisorRefOf } from "./fiber.js"

import FiberRef = effect.FiberRef

interface GlobalScope {
  add(flags: unknown, fiber: AnyFiber): void
}

// of this copy's making, where a later one of Effect calls it by another name: then nothing is told
const globalScope = (): GlobalScope => globalValue(Symbol.for("effect/FiberScope/Global"), () => ({ add: () => {} }))

const isOfAnotherCopy = (fiber: AnyFiber): boolean => supervisorRefOf(fiber) !== FiberRef.currentSupervisor

/** Calls a function with each fiber without a parent that another copy of Effect is about to run, until it is told not to. */
export const watchOtherCopies = (start: ((fiber: AnyFiber) => void) | undefined): void => {
  const scope = globalScope()
  Reflect.deleteProperty(scope, "add")
  if (start === undefined) {
    return
  }
  const { add } = scope
  const watching: GlobalScope["add"] = (flags, fiber) => {
    add.call(scope, flags, fiber)
    if (isOfAnotherCopy(fiber)) {
      start(fiber)
    }
  }
  Object.defineProperty(scope, "add", { value: watching, configurable: true, writable: true })
}
