/**
 * The mark of a map: whose it is.
 *
 * A context's fiber ref holds a plain `HashMap`, the map of the region that the fiber is in. The mark is a property of that
 * `HashMap`: it is the quickest of the ways that keep `FiberRef<HashMap>` true.
 */
import * as Equal from "effect/Equal"
import * as HashMap from "effect/HashMap"
import type { Entries } from "./entries.js"
import { fresh } from "./entries.js"
import type { Cell, Definition, Region } from "./region.js"
import { hasStart, isMerging } from "./region.js"

/** Who makes values: the id of a fiber, or of a promise task. Compared by identity. */
export type Owner = object

/** Whose map it is. */
export interface Mark {
  readonly region: Region
  /** Who made the value. A child that goes on with its parent's value is told by it. Set where something depends on it. */
  readonly owner: Owner | undefined
  /** What the owner started with, for a join that merges. */
  readonly base: Entries | undefined
  /** Under `chain`: where children of the owner read, and what is behind the owner's own entries. */
  readonly layer: Cell | undefined
  /**
   * What the task goes back to when the region ends without telling the fiber: that of a layer, or of a service. A child
   * has none: it never leaves the region that it was forked in.
   */
  readonly outer: Entries | undefined
  /** How many values of services are below it, one behind the other. */
  readonly services: number
  /** In a finalizer that goes on with its fiber's map: that map as it was. */
  readonly entered: Entries | undefined
}

const MarkId: unique symbol = Symbol.for("aiocontext/mark")

interface Marked extends Entries {
  [MarkId]?: Mark
  [Equal.symbol](that: Equal.Equal): boolean
}

/** The mark of a map. A map that was written past the library has none. */
export const markOf = (entries: Entries): Mark | undefined => (entries as Marked)[MarkId]

const unmarked: Equal.Equal = Object.getPrototypeOf(HashMap.empty())

// Effect drops a value that equals the one before it. Two maps with equal entries may be of different regions.
function isSame(this: Entries, that: Equal.Equal): boolean {
  return this === that || (markOf(that as Entries) === undefined && unmarked[Equal.symbol].call(this, that))
}

/** Marks a map that is nobody else's. */
export const marked = (own: Entries, mark: Mark): Entries => {
  const value = own as Marked
  value[MarkId] = mark
  value[Equal.symbol] = isSame
  return value
}

/** The same map with another mark. */
export const remarked = (entries: Entries, mark: Mark): Entries => marked(fresh(entries), mark)

/** Whether it matters who made the values of a context. */
export const hasOwner = (definition: Definition): boolean => isMerging(definition) || hasStart(definition)

/** Whether a task may write to a value as its own. If not, it goes on with what somebody else made. */
export const isOwn = ({ owner, region }: Mark, self: Owner): boolean => owner === self || !hasOwner(region.definition)

/** The mark of the map that a region starts with. */
export const startOf = (region: Region, owner: Owner, outer?: Entries): Mark => ({
  region: region.named,
  owner: hasOwner(region.definition) ? owner : undefined,
  base: undefined,
  layer: region.definition.fork === "chain" ? region.cell : undefined,
  outer,
  services: region.kind === "service" && outer !== undefined ? servicesIn(outer) + 1 : 0,
  entered: undefined
})

const servicesIn = (outer: Entries): number => markOf(outer)?.services ?? 0
