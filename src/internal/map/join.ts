/**
 * Joins and patches: what a task's value becomes when Effect hands it another one.
 *
 * A join hands on what a layer attached, and under `merge` what a child changed; nothing else that a child made for itself.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Entries } from "./entries.js"
import { absent } from "./entries.js"
import { fork, withoutEnded } from "./fork.js"
import type { Holder } from "./held.js"
import { changed, getEntry, inForce } from "./held.js"
import { markOf, remarked, startOf } from "./mark.js"
import type { Region } from "./region.js"

const isSameEntry = /* @__PURE__ */ Option.getEquivalence<unknown>(Object.is)

/** An entry, if there is one. */
type Entry = Option.Option<unknown>

/**
 * A map with what another task changed, given what the other one started with: with its entries, or with what `join` makes
 * of one's own and of the other's. O(n) in what it had and has.
 */
export const withChanges = (
  map: Entries,
  base: Entries,
  after: Entries,
  join: (key: string, own: Entry, changed: Entry) => Entry = (_key, _own, changed) => changed
): Entries =>
  HashMap.reduce(HashMap.union(base, after), map, (merged, _, key) => {
    const entry = HashMap.get(after, key)
    return isSameEntry(HashMap.get(base, key), entry)
      ? merged
      : HashMap.modifyAt(merged, key, (own) => join(key, own, entry))
  })

/** The value of a task that takes over what another one has: what a layer attached, and what merges. */
export const received = (holder: Holder, other: Entries): Entries =>
  withMerged({ ...holder, value: withAttached(holder, other) }, other)

/** What another task holds, without the regions of layers that are over. */
const withoutClosed = (other: Entries): Entries => {
  const mark = markOf(other)
  return mark?.outer !== undefined && mark.region.closed ? withoutClosed(mark.outer) : other
}

const withMerged = (holder: Holder, received: Entries): Entries => {
  const { service, value } = holder
  const other = withoutClosed(received)
  const mark = markOf(other)
  if (mark?.base === undefined) {
    return value
  }
  const region = markOf(inForce(value, service))?.region ?? service?.named
  if (region !== mark.region) {
    return value
  }
  const { base } = mark
  return changed(holder, region.definition, (own) => withChanges(own, base, other, joining(holder, region))) ?? value
}

/** What the context makes of an entry that another task changed. */
const joining = (holder: Holder, { definition: { joinKey } }: Region) =>
  joinKey && ((key: string, own: Entry, changed: Entry): Entry => {
    // under `chain` it may stand behind the task's own
    const before = getEntry(holder, key)
    const after = joinKey(key, before, changed)
    return isSameEntry(before, after) ? own : after
  })

/** The values that a task got from layers which are still open, the outermost last. */
const attachedIn = (other: Entries): ReadonlyArray<Entries> => {
  const attached: Array<Entries> = []
  let current = other
  let mark = markOf(current)
  while (mark?.outer !== undefined) {
    if (mark.region.kind === "layer" && !mark.region.closed) {
      attached.push(current)
    }
    current = mark.outer
    mark = markOf(current)
  }
  return attached
}

const isIn = (value: Entries, region: Region): boolean => {
  for (let mark = markOf(value); mark !== undefined; mark = mark.outer && markOf(mark.outer)) {
    if (mark.region === region) {
      return true
    }
  }
  return false
}

const withAttached = ({ owner, service, value }: Holder, other: Entries): Entries => {
  const attached = attachedIn(other)
  if (attached.length === 0) {
    return value
  }
  return attached.reduceRight((outer, entries) => {
    const { layer, region } = markOf(entries)!
    return isIn(outer, region)
      ? outer
      : remarked(entries, { ...startOf(region, owner, outer), layer })
  }, withoutEnded(value, service))
}

/** What changed in a fiber ref, as Effect keeps it to undo it or to do it again. */
export type Patch =
  | { readonly _tag: "Fork" }
  | { readonly _tag: "Nothing" }
  /** `after` is what the fiber itself holds: the patch undoes what was done in between, or does it again. */
  | { readonly _tag: "Own"; readonly before: Entries; readonly after: Entries; readonly fiber: unknown }
  /** `after` is somebody else's. `holds` is what the fiber itself holds. */
  | { readonly _tag: "Given"; readonly before: Entries; readonly after: Entries; readonly holds: Entries }

/** What changed from one value to another, seen by a fiber that holds a third. */
export const diff = ({ after, before, fiber, holds }: {
  readonly before: Entries
  readonly after: Entries
  readonly holds: Entries | undefined
  readonly fiber: unknown
}): Patch => {
  if (before === after) {
    return { _tag: "Nothing" }
  }
  return holds === undefined || holds === after
    ? { _tag: "Own", before, after, fiber }
    : { _tag: "Given", before, after, holds }
}

/** Applies a change to the value of a task. */
export const patched = (patch: Patch, holder: Holder, fiber: unknown): Entries => {
  const { service, value } = holder
  switch (patch._tag) {
    case "Fork":
      return fork(value, service)
    case "Nothing":
      return value
    case "Own":
      // in another fiber, a memoized layer's or effect's, the patch would carry one request's writes to another
      return patch.fiber === fiber ? undone(patch.before, patch.after, holder) : withAttached(holder, patch.after)
    case "Given":
      // Effect enters a finalizer with the values of the time when it was added. It goes on with its fiber's map instead.
      return value === patch.after && patch.before === patch.holds && areOfOneRegion(patch.before, patch.after)
        ? entering(patch.before)
        : patch.after
  }
}

/** The value of a fiber, for a finalizer that it enters. */
const entering = (before: Entries): Entries => {
  const current = withoutClosed(before)
  return remarked(current, { ...markOf(current)!, entered: before })
}

const areOfOneRegion = (one: Entries, other: Entries): boolean => {
  const region = markOf(withoutClosed(one))?.region
  return region !== undefined && region === markOf(withoutClosed(other))?.region
}

/** Goes back to `after` from a value that came of `before`; what was written in between in the same region stays. */
const undone = (before: Entries, after: Entries, holder: Holder): Entries => {
  const { value } = holder
  const mark = markOf(value)
  if (mark?.entered === after) {
    return remarked(value, { ...mark, entered: markOf(after)?.entered })
  }
  if (value === before || !areOfOneRegion(before, after) || !areOfOneRegion(value, after)) {
    return after
  }
  const { definition } = markOf(withoutClosed(after))!.region
  const [was, is] = [withoutClosed(before), withoutClosed(value)]
  return changed({ ...holder, value: after }, definition, (own) => withChanges(own, was, is)) ?? after
}

/** The value of a fiber that joins another one, whose value the patch has made. */
export const joined = (holder: Holder, other: Entries): Entries =>
  other === absent ? holder.value : received(holder, other)
