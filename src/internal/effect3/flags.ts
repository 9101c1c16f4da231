/**
 * The runtime flag that has Effect call `onEffect` before each operation.
 *
 * Every fiber under the bridge has it. Whether a user asked for it as well is kept in a bit that Effect does not use, so that
 * it goes with the flags wherever Effect takes them: to children, into runtimes.
 */
import * as effect from "effect"
import type { FiberEffect, FiberInternals } from "./fiber.js"

import RuntimeFlags = effect.RuntimeFlags
import RuntimeFlagsPatch = effect.RuntimeFlagsPatch

const supervision: number = RuntimeFlags.OpSupervision

/** Whether a change of flags, a number with the bits that it changes, changes this one. */
const changesSupervision = (patch: number): boolean => RuntimeFlagsPatch.isActive(patch as never, supervision as never)

// Effect 3 has flags for 1, 2, 4, 16 and 32, and its patches carry eight bits
const forced = 64

/** Whether a user asked for the flag. */
export const isAsked = ({ currentRuntimeFlags }: FiberInternals): boolean => (currentRuntimeFlags & forced) === 0

/** Has a fiber keep the flag; `patch` is what a user has just changed. Gives the flags. */
export const force = (fiber: FiberInternals, flags: number, patch?: number): number => {
  const isChanged = patch !== undefined && changesSupervision(patch)
  const isOn = (flags & supervision) !== 0
  const kept = isChanged && isOn ? flags & ~forced : isOn ? flags : flags | supervision | forced
  fiber.currentRuntimeFlags = kept
  return kept
}

/** Gives the fiber the flag as its user has it. */
export const unforce = (fiber: FiberInternals): void => {
  if (!isAsked(fiber)) {
    fiber.currentRuntimeFlags &= ~(supervision | forced)
  }
}

/** Before an operation that changes the flag: Effect is to find the user's, which it puts back after the region. */
export const release = (fiber: FiberInternals, effect: FiberEffect): void => {
  const { _op, effect_instruction_i0: patch } = effect as unknown as {
    readonly _op: string
    readonly effect_instruction_i0: number
  }
  if (_op === "UpdateRuntimeFlags" && changesSupervision(patch)) {
    unforce(fiber)
  }
}
