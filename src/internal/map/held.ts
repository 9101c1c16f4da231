/**
 * Which map a task has, read and written: what its fiber ref says, and where it says nothing, its service.
 */
import * as Option from "effect/Option"
import { lookupBehind, makeLayer, withBehind } from "./chain.js"
import type { Entries } from "./entries.js"
import { absent, fresh, lookup, none } from "./entries.js"
import { derive, withoutEnded } from "./fork.js"
import type { Mark, Owner } from "./mark.js"
import { hasOwner, isOwn, marked, markOf, remarked, startOf } from "./mark.js"
import type { Cell, Definition, Region } from "./region.js"
import { isDerived, isLinked, isMerging, makeRegion } from "./region.js"
import { belowService } from "./service.js"

/** A task, as far as its map of one context goes. */
export interface Holder {
  /** What the fiber ref of the context holds. */
  readonly value: Entries
  /** What the task has as the context's service. */
  readonly service: Region | undefined
  /** Who it is. */
  readonly owner: Owner
  /** What lives for as long as the task can write. */
  readonly writer: object
}

/** The value that is in force; `absent` where the task has no map of its own. */
export const inForce = (value: Entries, service: Region | undefined): Entries => {
  const current = withoutEnded(value, service)
  // what was made with `Tag.of` is what its maker asked for, until a region is entered inside of it
  return service?.kind === "service" && markOf(current)?.region !== service.named ? absent : current
}

/** Whether a service stands for a map. */
export const hasMap = (service: Region | undefined): service is Region =>
  service !== undefined && service.kind !== "late"

/** Whether there is a map. */
export const isAttached = ({ service, value }: Holder): boolean => hasMap(service) || inForce(value, service) !== absent

// -----------------------------------------------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------------------------------------------

/** The entries that are a task's own. */
const ownEntries = ({ owner, service }: Holder, current: Entries, mark: Mark | undefined): Entries => {
  if (mark !== undefined) {
    return isLinked(mark.region.definition) && (mark.layer === undefined || mark.owner !== owner) ? none : current
  }
  if (current !== absent) {
    // written past the library
    return current
  }
  return service === undefined || isLinked(service.definition) ? none : service.seed
}

/** The maps that a task sees behind its own: its parents' under `chain`, the one map under `share`. */
const behind = ({ owner, service }: Holder, current: Entries, mark: Mark | undefined): Cell | undefined => {
  if (mark?.layer !== undefined) {
    return mark.owner === owner ? mark.layer.parent : mark.layer
  }
  const region = mark?.region ?? (current === absent ? service : undefined)
  return region !== undefined && isLinked(region.definition) ? region.cell : undefined
}

/** One entry, as the task sees it. O(log n); under `chain` times the depth of the nesting. */
export const getEntry = (holder: Holder, key: string): Option.Option<unknown> => {
  const current = inForce(holder.value, holder.service)
  const mark = markOf(current)
  const found = lookup(ownEntries(holder, current, mark), key)
  return found._tag === "Some" ? found : lookupBehind(behind(holder, current, mark), key)
}

/** The whole map, as the task sees it, without a mark. O(1), except under `chain`. */
export const allEntries = (holder: Holder): Entries => {
  const current = inForce(holder.value, holder.service)
  const mark = markOf(current)
  return fresh(withBehind(ownEntries(holder, current, mark), behind(holder, current, mark)))
}

// -----------------------------------------------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------------------------------------------

/** The map that a task starts with which has none: as a child of whoever attached the context. */
const start = (holder: Holder, definition: Definition): Entries => {
  const { owner, service, value } = holder
  const region = service ?? makeRegion({ definition, seed: none, kind: "provide", tag: undefined })
  const outer = region.kind === "service" ? belowService(withoutEnded(value, service)) : undefined
  const mark: Mark = { ...startOf(region, owner, outer), base: mergeBase(region, region.seed) }
  switch (region.definition.fork) {
    case "share":
      return marked(fresh(none), mark)
    case "chain":
      return marked(fresh(none), { ...mark, owner: undefined })
    default: {
      const own = remarked(region.seed, mark)
      return isDerived(region.definition) ? derive(region.definition, own, owner) : own
    }
  }
}

// without its mark, which has a base of its own
const mergeBase = ({ definition }: Region, base: Entries): Entries | undefined =>
  isMerging(definition) ? fresh(base) : undefined

/**
 * The value that a task must have before it reads: another one than it holds where its strategy makes a child's map, and
 * nobody did so when the task started. Throws a `ForkError` where the map cannot be made.
 */
export const readied = (holder: Holder, definition: Definition): Entries => {
  const mark = markOf(holder.value)
  if (mark?.region.kind === "layer" && mark.region.closed) {
    // the region is over, and its end has not reached this task: a service that was captured in it must not bring it back
    const current = withoutEnded(holder.value, holder.service)
    return current === holder.value ? derived(holder, definition) : derived({ ...holder, value: current }, definition)
  }
  return derived(holder, definition)
}

const derived = (holder: Holder, definition: Definition): Entries => {
  if (!isDerived(definition)) {
    return holder.value
  }
  const current = inForce(holder.value, holder.service)
  if (current === absent) {
    return hasMap(holder.service) ? start(holder, definition) : absent
  }
  const mark = markOf(current)
  return mark === undefined || isOwn(mark, holder.owner) ? holder.value : derive(definition, current, holder.owner)
}

/** A value with a mark, for a task that is about to write. */
const writable = (holder: Holder, definition: Definition): Entries => {
  const current = inForce(holder.value, holder.service)
  if (current === absent) {
    return start(holder, definition)
  }
  if (markOf(current) !== undefined) {
    return current
  }
  // a map that was written past the library is the region's that the task is in
  const region = holder.service ?? makeRegion({ definition, seed: current, kind: "provide", tag: undefined })
  return remarked(current, startOf(region, holder.owner))
}

/**
 * The value of a task that is about to start a child under `chain`: with a layer of its own, for the child to read what the
 * task writes later.
 */
export const withLayer = (holder: Holder, definition: Definition): Entries => {
  const value = writable(holder, definition)
  const mark = markOf(value)!
  return isOwn(mark, holder.owner) ? holder.value : marked(fresh(none), takeOver(mark, none, none, holder))
}

/** A change of a map: the same map where it changes nothing, else one that is nobody else's. */
export type Change = (own: Entries, region: Region) => Entries

/** The value after a change of what the task writes to; `undefined` where nothing changed. */
export const changed = (holder: Holder, definition: Definition, change: Change): Entries | undefined => {
  const value = writable(holder, definition)
  const mark = markOf(value)!
  const { region } = mark
  if (region.definition.fork === "share") {
    return changedShared(value, mark, change)
  }
  const isMine = isOwn(mark, holder.owner)
  const own = isMine || mark.layer === undefined ? value : none
  const next = change(own, region)
  if (next === own) {
    return undefined
  }
  if (!isMine) {
    return marked(next, takeOver(mark, own, next, holder))
  }
  if (mark.layer !== undefined) {
    // for the task's children to read
    mark.layer.entries = next
  }
  return marked(next, mark)
}

const changedShared = (value: Entries, mark: Mark, change: Change): Entries | undefined => {
  const { cell } = mark.region
  const next = change(cell.entries, mark.region)
  if (next === cell.entries) {
    return undefined
  }
  cell.entries = next
  return remarked(value, mark)
}

/** The mark of what a task makes of a value that it was given. */
const takeOver = (mark: Mark, base: Entries, next: Entries, { owner, writer }: Holder): Mark => ({
  ...mark,
  owner: hasOwner(mark.region.definition) ? owner : undefined,
  base: mergeBase(mark.region, base),
  layer: mark.layer && makeLayer(next, mark.layer, writer)
})
