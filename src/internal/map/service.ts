/**
 * Maps of services that were made with `Tag.of`.
 *
 * Effect provides and drops a service without telling anybody. So a task's map of such a service stays in its fiber ref
 * until something is written after it, and each map keeps the one below it, for the service that may be the enclosing one.
 */
import type { Entries } from "./entries.js"
import { absent } from "./entries.js"
import { markOf, remarked } from "./mark.js"

const enough = 16

/** What a map of a service is put on top of: a value, without the maps of services that nobody has any more. */
export const belowService = (value: Entries): Entries => {
  const count = markOf(value)?.services ?? 0
  // at 16, 32, 64, and so on: the work grows no faster than what there is to look at
  return count >= enough && (count & (count - 1)) === 0 ? withoutLost(value) : value
}

const withoutLost = (value: Entries): Entries => {
  const kept: Array<Entries> = []
  let current = value
  let mark = markOf(current)
  while (mark !== undefined && mark.region.kind === "service") {
    if (mark.region.service?.deref() !== undefined) {
      kept.push(current)
    }
    current = mark.outer ?? absent
    mark = markOf(current)
  }
  return kept.reduceRight((outer, entries, index) => {
    const mark = markOf(entries)!
    return remarked(entries, { ...mark, outer, services: kept.length - index })
  }, current)
}
