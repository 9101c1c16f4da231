/**
 * Makes a failing run small: fewer requests, fewer waits, a schedule with fewer choices that matter.
 *
 * The method is delta debugging (Zeller, "Yesterday, my program worked. Today, it does not. Why?", 1999).
 * `FastCheck.subarray` of Effect comes to the same parts in one and a half to five times as many runs.
 */
import type { Failure, Outcome } from "./outcome.js"
import type { Plan } from "./plan.js"

/** A plan that fails, and how. */
export interface Failed {
  readonly plan: Plan
  readonly outcome: Outcome
  readonly failure: Failure
}

/** Runs a plan; gives it back if it fails in the way that is looked for. */
export type Try = (plan: Plan) => Promise<Failed | undefined>

/** Whether two failures are of one kind, and the second tells a whole story in its own run. */
export const sameKind = (first: Failure, second: Failure, plan: Plan): boolean =>
  first._tag === second._tag &&
  (second._tag !== "Leak" || plan.requests.includes(second.requests[1]))

/** The smallest part of `items` with which `fails` still says yes: delta debugging. */
const minimize = async <A, B>(
  items: ReadonlyArray<A>,
  fails: (items: ReadonlyArray<A>) => Promise<B | undefined>
): Promise<B | undefined> => {
  let current = items
  let best: B | undefined
  let parts = 2
  while (current.length >= 2) {
    const size = Math.ceil(current.length / parts)
    let smaller: ReadonlyArray<A> | undefined
    for (let start = 0; start < current.length && smaller === undefined; start += size) {
      const rest = current.filter((_, index) => index < start || index >= start + size)
      const result = await fails(rest)
      if (result !== undefined) {
        smaller = rest
        best = result
      }
    }
    if (smaller !== undefined) {
      current = smaller
      parts = Math.max(parts - 1, 2)
    } else if (parts >= current.length) {
      return best
    } else {
      parts = Math.min(parts * 2, current.length)
    }
  }
  return best
}

// a smaller run has another schedule, so each is given a few
const shifts = Array.from({ length: 32 }, (_, shift) => shift)

/** The shortest of the failing runs of a plan's shifts. */
const shortest = async (plan: Plan, attempt: Try): Promise<Failed | undefined> => {
  let best: Failed | undefined
  for (const shift of plan.requests.length < 4 ? shifts : [plan.shift]) {
    const result = await attempt({ ...plan, shift, choices: undefined })
    if (result?.failure._tag === "Stuck") {
      // to see that nothing comes any more takes longer than a run
      return result
    }
    if (result !== undefined && (best === undefined || result.outcome.steps < best.outcome.steps)) {
      best = result
    }
  }
  return best
}

const withRequests = (failed: Failed, attempt: Try) => (requests: ReadonlyArray<number>) => {
  const sorted = requests.toSorted((a, b) => a - b)
  const waiting = failed.plan.waiting.filter((request) => sorted.includes(request))
  return shortest({ ...failed.plan, requests: sorted, waiting }, attempt)
}

/** The requests that may do alone, the fewest first. */
const suspects = (failure: Failure): ReadonlyArray<ReadonlyArray<number>> => {
  switch (failure._tag) {
    case "Leak": {
      return [failure.requests]
    }
    case "Threw": {
      return failure.request === undefined ? [] : [[failure.request]]
    }
    case "Stuck": {
      return [failure.requests.slice(0, 1), failure.requests.slice(0, 2)]
    }
  }
}

const fewerRequests = async (failed: Failed, attempt: Try): Promise<Failed> => {
  for (const requests of suspects(failed.failure)) {
    const few = await withRequests(failed, attempt)(requests)
    if (few !== undefined) {
      return few
    }
  }
  // who had not begun had no part in it, and who waits makes runs long
  const begun = await withRequests(failed, attempt)(failed.outcome.begun) ?? failed
  const plain = await shortest({ ...begun.plan, waiting: [] }, attempt) ?? begun
  return await minimize(plain.plan.requests, withRequests(plain, attempt)) ?? plain
}

const fewerWaits = async (failed: Failed, attempt: Try): Promise<Failed> => {
  for (const waiting of [[], ...failed.plan.waiting.map((request) => [request])]) {
    const result = waiting.length < failed.plan.waiting.length
      ? await shortest({ ...failed.plan, waiting }, attempt)
      : undefined
    if (result !== undefined) {
      return result
    }
  }
  return failed
}

const fewerChoices = async (failed: Failed, attempt: Try): Promise<Failed> => {
  let best = failed
  const fails = async (choices: ReadonlyArray<number>) => {
    const result = await attempt({ ...best.plan, choices })
    best = result ?? best
    return result
  }
  const plain = await fails([])
  if (plain !== undefined) {
    return plain
  }
  const { choices } = failed.outcome
  const positions = choices.flatMap((choice, position) => choice === 0 ? [] : [position])
  await minimize(positions, (kept) => {
    const set = new Set(kept)
    return fails(choices.slice(0, (kept.at(-1) ?? -1) + 1).map((choice, position) => set.has(position) ? choice : 0))
  })
  return best
}

/** The smallest failing run that is found before `attempt` gives up. */
export const shrink = async (failed: Failed, attempt: Try): Promise<Failed> => {
  const requests = await fewerRequests(failed, attempt)
  const waits = await fewerWaits(requests, attempt)
  return fewerChoices(waits, attempt)
}
