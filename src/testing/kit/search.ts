/**
 * From the run that found something to the smallest one, as far as the subject lets itself be run again.
 */
import { allow } from "../world/clock.js"
import type { Setup } from "./options.js"
import type { Plan } from "./plan.js"
import { run } from "./run.js"
import { sameKind, shrink } from "./shrink.js"
import type { Failed } from "./shrink.js"

/** What a search came to. */
export interface Found {
  readonly smallest: Failed
  /**
   * Whether the subject is what it was before: `spoiled` if a run that passed fails now, `other` if the run that found
   * something did not find it again.
   */
  readonly state: "same" | "spoiled" | "other" | "replayed"
}

const attempts = 400

/** Makes a failing run small. `passed` is one that is known to pass: while it does, the subject is what it was. */
export const search = async (setup: Setup, first: Failed, passed: Plan | undefined): Promise<Found> => {
  // runs that end stuck are not to take the whole time limit each
  const hasty = first.failure._tag === "Stuck" ? { ...setup, limit: setup.limit / 5, patience: 20 } : setup
  const attempt = async (plan: Plan, given: Setup = hasty): Promise<Failed | undefined> => {
    const outcome = await run(given, plan)
    const { failure } = outcome
    return failure === undefined ? undefined : { plan, outcome, failure }
  }
  const isSame = (failed: Failed | undefined): failed is Failed =>
    failed !== undefined && sameKind(first.failure, failed.failure, failed.plan)
  const isSpoiled = async () => passed !== undefined && await attempt(passed, setup) !== undefined

  const again = await attempt({ ...first.plan, explain: true }, setup)
  if (await isSpoiled()) {
    return { smallest: first, state: "spoiled" }
  }
  if (!isSame(again)) {
    return { smallest: first, state: "other" }
  }
  const isLate = allow(3 * setup.limit)
  let left = attempts
  let spoiled = false
  const smallest = await shrink(again, async (plan) => {
    if (spoiled || left-- <= 0 || isLate()) {
      return undefined
    }
    const failed = await attempt(plan)
    spoiled = failed?.failure._tag === "Stuck" && await isSpoiled()
    return isSame(failed) && !spoiled ? failed : undefined
  })
  if (spoiled) {
    return { smallest, state: "spoiled" }
  }
  const explained = await attempt({ ...smallest.plan, explain: true }, setup)
  return { smallest: isSame(explained) ? explained : again, state: "same" }
}
