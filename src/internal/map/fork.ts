/**
 * Forks: the map that a child starts with.
 *
 * A child starts with its parent's very value, whatever the strategy: Effect's own fork can neither fail nor take long.
 * `chain` and `share` differ in how that value is read and written. `deepCopy` and functions make a map of the child's own
 * when the child starts.
 */
import * as HashMap from "effect/HashMap"
import { ForkError } from "../../errors.js"
import { makeLayer } from "./chain.js"
import type { Entries } from "./entries.js"
import { absent, fresh } from "./entries.js"
import type { Mark, Owner } from "./mark.js"
import { marked, markOf, remarked } from "./mark.js"
import type { Definition, Region } from "./region.js"
import { isMerging } from "./region.js"

/** The value of a fiber ref, without the regions that ended and could not tell the fiber. */
export const withoutEnded = (value: Entries, service: Region | undefined): Entries => {
  let current = value
  let mark = markOf(current)
  while (mark !== undefined && isOver(mark, service)) {
    current = mark.outer ?? absent
    mark = markOf(current)
  }
  return current
}

// A runtime that was taken inside of a layer's region has both the map and the service, also when the region is over.
const isOver = ({ outer, region }: Mark, service: Region | undefined): boolean =>
  region !== service?.named && (region.kind === "service" || (region.closed && outer !== undefined))

const forChildren = /* @__PURE__ */ new WeakMap<Entries, Entries>()

/** The value that a child starts with: its parent's, without what the parent goes back to when a region ends. O(1). */
export const fork = (value: Entries, service: Region | undefined): Entries => {
  const mark = markOf(value)
  if (mark === undefined || (mark.outer === undefined && mark.entered === undefined)) {
    return value
  }
  if (mark.region !== service?.named) {
    if (mark.region.kind === "service") {
      // a runtime's fiber is forked by whoever starts it, who does not have the service
      return value
    }
    if (mark.region.closed) {
      return fork(mark.outer ?? absent, service)
    }
  }
  let child = forChildren.get(value)
  if (child === undefined) {
    child = remarked(value, { ...mark, outer: undefined, services: 0, entered: undefined })
    forChildren.set(value, child)
  }
  return child
}

/** Makes a child's own map of its parent's, where the strategy does so. Throws a `ForkError` where it cannot be made. */
export const derive = (definition: Definition, parent: Entries, owner: Owner): Entries => {
  const own = derivedMap(definition, parent)
  const base = isMerging(definition) ? own : undefined
  return marked(own, { ...markOf(parent)!, owner, base })
}

const ofStrategy = ({ fork, key }: Definition, parent: Entries): unknown => {
  if (fork === "deepCopy") {
    return deepCopy(key, parent)
  }
  return typeof fork === "function" ? fork(parent) : parent
}

const derivedMap = (definition: Definition, parent: Entries): Entries => {
  const { forkKeys, key: context } = definition
  try {
    const child = ofStrategy(definition, parent)
    if (HashMap.isHashMap(child)) {
      const entries = child as Entries
      return fresh(forkKeys === undefined ? entries : forkKeys(entries))
    }
  } catch (cause) {
    throw cause instanceof ForkError ? cause : new ForkError({ context, cause })
  }
  throw new ForkError({ context, cause: new TypeError("it returned no HashMap") })
}

const deepCopy = (context: string, parent: Entries): Entries => {
  const entries = HashMap.toEntries(parent)
  try {
    // all at once, so that what two entries share stays shared
    return HashMap.fromIterable(structuredClone(entries))
  } catch (cause) {
    const culprit = entries.find(([_, value]) => !canBeCloned(value))
    throw new ForkError(culprit === undefined ? { context, cause } : { context, key: culprit[0], cause })
  }
}

const canBeCloned = (value: unknown): boolean => {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/**
 * The value of code that goes on beside its task, once it writes. Under `chain` it gets a layer of its own that starts as
 * the task's is.
 */
export const detach = (value: Entries, owner: Owner, writer: object): Entries => {
  const mark = markOf(value)
  if (mark?.layer === undefined || mark.owner === undefined) {
    return value
  }
  return remarked(value, {
    ...mark,
    owner,
    layer: makeLayer(value, mark.layer.parent, writer)
  })
}
