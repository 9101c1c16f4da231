/**
 * A context attached to a region, and the value that the fiber ref of a context holds for it.
 *
 * The fiber ref of a context holds a plain `HashMap`: the map of the attachment at the head. Each such map is marked
 * with a slot, which says whose map it is and keeps the maps of the enclosing attachments below it. So one fiber ref a
 * context is enough, however often and however deeply the context is attached, and a fiber that leaves a region drops
 * the region's slot and nothing else.
 *
 * The seed travels with the attachment, which is the service in the fiber's context. A fiber whose ref has no slot for
 * its attachment (somebody handed the service over with `Effect.provide(context)`) starts from the seed, as a child.
 */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { hasProperty } from "effect/Predicate"
import { ForkError } from "../errors.js"
import { globalValue } from "./global.js"

export type Entries = HashMap.HashMap<string, unknown>

export type Fork = (parent: Entries) => Entries

export type Join = "isolate" | "merge"

export interface Definition {
  readonly key: string
  readonly fork: Fork
  readonly join: Join
}

/** Where linked tasks meet: a map that its owner replaces and others read. */
interface Cell {
  entries: Entries
  /** `chain`: the layer of the parent task. */
  readonly parent?: Cell
}

interface Slot {
  readonly attachment: Attachment
  readonly below: Entries | undefined
  /** `chain`: the task's own layer, for its children to read. */
  readonly cell?: Cell
  /** What the child began with, where that is not the parent's very map. */
  readonly base?: Entries
  /** In a finalizer: the value that its fiber goes back to. */
  readonly entered?: Entries
}

/** A context attached to a region: the service in the fiber's context. */
export class Attachment {
  readonly _tag = "aiocontext/Attachment" as const
  /** Its region is over. */
  closed = false
  /** `share`: the one map of all tasks. `chain`: the layer of the task that attached. */
  readonly cell: Cell
  constructor(
    readonly definition: Definition,
    readonly seed: Entries,
    readonly outer: Attachment | undefined,
    /** Attached by a layer: the fiber that built it hands the slot on when it is joined. */
    readonly built: boolean,
    /** The tag that it was attached with. */
    readonly tag: unknown
  ) {
    this.cell = { entries: seed }
  }
}

/** Whether a service is an attached context. Told by its tag: another copy of the package may have made it. */
export const isAttachment = (service: unknown): service is Attachment =>
  hasProperty(service, "_tag") && service._tag === "aiocontext/Attachment"

// A private field, stamped onto a HashMap that is ours alone: invisible to equality, iteration and printing, and the
// cheapest of the ways that keep `FiberRef<HashMap>` true. One class a process, so that two copies of the package
// read each other's maps.
const Mark = /* @__PURE__ */ globalValue("aiocontext/Mark", () => {
  class Itself {
    constructor(target: object) {
      return target
    }
  }
  return class Mark extends Itself {
    #slot: Slot
    constructor(target: object, slot: Slot) {
      super(target)
      this.#slot = slot
    }
    static slotOf(target: object): Slot | undefined {
      return #slot in target ? target.#slot : undefined
    }
  }
})

const slotOf = (entries: Entries): Slot | undefined => Mark.slotOf(entries)

// The engine drops a fork's or a join's value that equals the one before it. Two maps with equal entries may be of
// different attachments, or hold equal values that are not the same ones.
const isSame = {
  configurable: true,
  value(this: Entries, that: Equal.Equal): boolean {
    return this === that || (slotOf(that as Entries) === undefined && unmarked[Equal.symbol].call(this, that))
  }
}

const unmarked: Equal.Equal = Object.getPrototypeOf(HashMap.empty())

const mark = (own: Entries, slot: Slot): Entries => {
  if (slot.cell !== undefined || slot.base !== undefined) {
    // spares the engine the hashing of each entry, to find what is never equal
    Hash.cached(own, identity++)
  }
  return Object.defineProperty(new Mark(own, slot) as unknown as Entries, Equal.symbol, isSame)
}

let identity = 1

/** The same entries in a new object, O(1). */
export const fresh = (entries: Entries): Entries => HashMap.endMutation(HashMap.beginMutation(entries))

/** What a fiber ref holds before anything is attached: told from an empty map by its identity. */
export const absent: Entries = /* @__PURE__ */ globalValue("aiocontext/absent", () => fresh(HashMap.empty()))

/** A child and its parent are one map. */
export const share: Fork = /* @__PURE__ */ globalValue("aiocontext/share", (): Fork => (parent) => parent)

/** A child reads its own layer, and its parent's current one behind it. */
export const chain: Fork = /* @__PURE__ */ globalValue("aiocontext/chain", (): Fork => () => HashMap.empty())

/** A child starts with its parent's map. */
export const copy: Fork = /* @__PURE__ */ globalValue("aiocontext/copy", (): Fork => (parent) => parent)

/** Whether one attachment encloses another. */
export const isAncestor = (candidate: Attachment, of: Attachment): boolean => {
  for (let outer = of.outer; outer !== undefined; outer = outer.outer) {
    if (outer === candidate) {
      return true
    }
  }
  return false
}

const replaceBelow = (value: Entries, slot: Slot, below: Entries | undefined): Entries =>
  below === slot.below ? value : mark(fresh(value), { ...slot, below })

/** Whether a fiber may go back to the region of an attachment, over though it may be: the fiber was forked there. */
export type Keeps = (attachment: Attachment) => boolean

/** Drops what belongs to regions that are over, unless they enclose `top` or the fiber keeps them. */
const prune = (value: Entries | undefined, top: Attachment, keeps: Keeps): Entries | undefined => {
  if (value === undefined || value === absent) {
    return undefined
  }
  const slot = slotOf(value)
  if (slot === undefined) {
    // written past the library, through the fiber ref: it is the enclosing attachment's
    return top.outer === undefined
      ? undefined
      : mark(fresh(value), { attachment: top.outer, below: undefined })
  }
  const below = prune(slot.below, top, keeps)
  const { attachment } = slot
  return attachment === top || (attachment.closed && !isAncestor(attachment, top) && !keeps(attachment))
    ? below
    : replaceBelow(value, slot, below)
}

/** Attaches: a slot for `attachment` on top, with its seed. */
export const push = (value: Entries, attachment: Attachment, keeps: Keeps): Entries => {
  const below = prune(value, attachment, keeps)
  return attachment.definition.fork === chain
    ? mark(fresh(attachment.seed), { attachment, below, cell: attachment.cell })
    : mark(fresh(attachment.seed), { attachment, below })
}

/** Detaches: the value without the slot of `attachment`; `absent` when nothing is left. */
export const remove = (value: Entries, attachment: Attachment): Entries => {
  if (value === absent) {
    return value
  }
  const slot = slotOf(value)
  if (slot === undefined || slot.attachment === attachment) {
    return slot?.below ?? absent
  }
  if (slot.below === undefined) {
    return value
  }
  const below = remove(slot.below, attachment)
  return replaceBelow(value, slot, below === absent ? undefined : below)
}

/** The map of `attachment` in a fiber ref's value. */
const find = (value: Entries | undefined, attachment: Attachment): Entries | undefined => {
  for (let own = value; own !== undefined && own !== absent;) {
    const slot = slotOf(own)
    if (slot === undefined || slot.attachment === attachment) {
      return own
    }
    own = slot.below
  }
  return undefined
}

const forkFailed = (attachment: Attachment, cause: unknown): ForkError =>
  cause instanceof ForkError
    ? new ForkError({
      context: attachment.definition.key,
      cause: cause.cause,
      ...(cause.key === undefined ? {} : { key: cause.key })
    })
    : new ForkError({ context: attachment.definition.key, cause })

const forkWith = (attachment: Attachment, parent: Entries): Entries => {
  let child: Entries
  try {
    child = attachment.definition.fork(parent)
  } catch (cause) {
    throw forkFailed(attachment, cause)
  }
  if (!HashMap.isHashMap(child)) {
    throw forkFailed(attachment, new TypeError("it returned something that is no HashMap"))
  }
  return child
}

const chainTo = (attachment: Attachment, below: Entries | undefined, parent: Cell): Entries => {
  const cell: Cell = { entries: fresh(HashMap.empty()), parent }
  return mark(cell.entries, { attachment, below, cell })
}

/** The value that a child starts with, given its parent's. O(1) for `copy`, `share` and `chain`. */
export const fork = (value: Entries): Entries => {
  const slot = value === absent ? undefined : slotOf(value)
  if (slot === undefined) {
    return value
  }
  const below = slot.below === undefined ? undefined : fork(slot.below)
  const strategy = slot.attachment.definition.fork
  if (strategy === copy || strategy === share) {
    return replaceBelow(value, slot, below)
  }
  if (strategy === chain) {
    return chainTo(slot.attachment, below, slot.cell!)
  }
  const base = forkWith(slot.attachment, value)
  return mark(fresh(base), { attachment: slot.attachment, below, base })
}

/** The value of code that goes on beside its task: as `chain` would fork it, but with a layer that starts as it is. */
export const detach = (value: Entries): Entries => {
  const slot = value === absent ? undefined : slotOf(value)
  if (slot === undefined) {
    return value
  }
  const below = slot.below === undefined ? undefined : detach(slot.below)
  if (slot.cell === undefined) {
    return replaceBelow(value, slot, below)
  }
  const cell: Cell = { ...slot.cell, entries: fresh(value) }
  return mark(cell.entries, { ...slot, below, cell })
}

const replaceHead = (slot: Slot, next: Entries): Entries => {
  const own = mark(slotOf(next) === undefined ? next : fresh(next), slot)
  if (slot.cell !== undefined) {
    slot.cell.entries = own
  }
  return own
}

const rebase = (value: Entries, attachment: Attachment, next: Entries): Entries => {
  const slot = slotOf(value)
  if (slot === undefined) {
    return next
  }
  if (slot.attachment === attachment) {
    return replaceHead(slot, next)
  }
  return replaceBelow(value, slot, slot.below === undefined ? undefined : rebase(slot.below, attachment, next))
}

/** Takes over the attachments that a layer made in `child` and that are still open. */
const adopt = (parent: Entries, child: Entries): Entries => {
  const slot = child === absent || child === parent ? undefined : slotOf(child)
  if (slot === undefined) {
    return parent
  }
  const rest = slot.below === undefined ? parent : adopt(parent, slot.below)
  return slot.attachment.built && !slot.attachment.closed && find(rest, slot.attachment) === undefined
    ? mark(fresh(child), {
      ...slot,
      below: prune(rest, slot.attachment, (kept) => find(slot.below, kept) !== undefined)
    })
    : rest
}

const changes = (base: Entries, child: Entries, parent: Entries): Entries => {
  let merged = parent
  for (const [key, value] of child) {
    const before = HashMap.get(base, key)
    if (Option.isNone(before) || !Object.is(before.value, value)) {
      merged = HashMap.set(merged, key, value)
    }
  }
  for (const key of HashMap.keys(base)) {
    if (!HashMap.has(child, key)) {
      merged = HashMap.remove(merged, key)
    }
  }
  return merged
}

const mergeInto = (ancestor: Entries, child: Entries, parent: Entries): Entries => {
  let result = parent
  for (let own: Entries | undefined = child; own !== undefined && own !== absent;) {
    const slot: Slot | undefined = slotOf(own)
    if (slot === undefined) {
      break
    }
    const { attachment } = slot
    const target = find(parent, attachment)
    if (attachment.definition.join === "merge" && attachment.definition.fork !== share && target !== undefined) {
      const base = slot.cell !== undefined
        ? absent
        : slot.base ?? find(ancestor, attachment) ?? attachment.seed
      const merged = changes(base, own, target)
      if (merged !== target) {
        result = rebase(result, attachment, merged)
      }
    }
    own = slot.below
  }
  return result
}

interface Change {
  readonly before: Entries
  readonly after: Entries
}

// A join applies the patch of the child's change and is then asked, at once, what to make of the result.
const applied: { change: Change | undefined } = /* @__PURE__ */ globalValue(
  "aiocontext/applied",
  () => ({ change: undefined })
)

const slots = (value: Entries): ReadonlyArray<readonly [Entries, Slot]> => {
  const all: Array<readonly [Entries, Slot]> = []
  for (let own: Entries | undefined = value; own !== undefined && own !== absent;) {
    const slot = slotOf(own)
    if (slot === undefined) {
      break
    }
    all.push([own, slot])
    own = slot.below
  }
  return all
}

/** What the map of a slot becomes when its fiber goes back to it from another value. */
const goBack = (own: Entries, slot: Slot, before: Entries, current: Entries, isEntered: boolean): Entries => {
  if (before === current || slot.attachment.definition.fork === share) {
    return own
  }
  const next = isEntered || before === own ? current : changes(before, current, own)
  if (slot.cell !== undefined) {
    slot.cell.entries = next
  }
  return next
}

const stack = (levels: ReadonlyArray<readonly [Entries, Slot]>): Entries =>
  levels.reduceRight<Entries | undefined>(
    (below, [own, slot]) =>
      slotOf(own) === slot ? replaceBelow(own, slot, below) : mark(fresh(own), { ...slot, below }),
    undefined
  ) ?? absent

/** The value that a finalizer runs with: where it was acquired, with the fiber's own maps as they are. */
const enter = (acquired: Entries, value: Entries): Entries =>
  stack([
    ...slots(acquired).map(([own, slot]) => [find(value, slot.attachment) ?? own, slot] as const),
    ...slots(value).filter(([, slot]) => find(acquired, slot.attachment) === undefined)
  ].map(([own, slot]) => [own, { ...(slotOf(own) ?? slot), entered: value }]))

/**
 * What the change from one value to another does to a third. It is how a fiber takes over what a memoized layer did, how
 * it enters the values of a finalizer or a runtime, and how it goes back from there to its own, with what was written
 * in between. In another fiber than the one that made the change (a memoized effect's) it would carry one request's
 * writes to another: there only what a layer attached is taken over. `held` is the
 * value of the fiber, where it is that very one.
 */
export const patch = (
  before: Entries,
  after: Entries,
  current: Entries,
  held: Entries | undefined
): Entries => {
  applied.change = { before, after }
  if (before === after) {
    return current
  }
  if (held === undefined) {
    return adopt(current, after)
  }
  if (current === before || slotOf(after) === undefined) {
    return after
  }
  if (current === after) {
    return held === before ? enter(after, before) : after
  }
  const levels: Array<readonly [Entries, Slot]> = []
  for (const [own, slot] of slots(after)) {
    const was = find(before, slot.attachment)
    const is = find(current, slot.attachment)
    if (was === undefined) {
      levels.push([is ?? own, slot])
    } else if (is !== undefined) {
      levels.push([goBack(own, slot, was, is, slotOf(is)?.entered === after), slot])
    }
  }
  for (const [own, slot] of slots(current)) {
    if (find(after, slot.attachment) === undefined && find(before, slot.attachment) === undefined) {
      levels.push([own, slot])
    }
  }
  return stack(levels)
}

/** What a join does to the joining fiber's value: `joined` is the parent's, patched with the child's change. */
export const join = (parent: Entries, joined: Entries): Entries => {
  const { change } = applied
  applied.change = undefined
  return parent === absent || change === undefined
    ? adopt(parent, joined)
    : adopt(mergeInto(change.before, change.after, parent), change.after)
}

// -----------------------------------------------------------------------------------------------------------------
// the map of one attachment, read and written through a fiber ref's value
// -----------------------------------------------------------------------------------------------------------------

/** Whether a task without a slot must be given one before it reads: its strategy makes values of its own. */
export const mustMaterialize = (value: Entries, attachment: Attachment): boolean => {
  const strategy = attachment.definition.fork
  return strategy !== copy && strategy !== share && strategy !== chain && find(value, attachment) === undefined
}

/** A slot for a task that was handed the service alone. */
export const materialize = (value: Entries, attachment: Attachment, keeps: Keeps): Entries => {
  const below = prune(value, attachment, keeps)
  const strategy = attachment.definition.fork
  if (strategy === chain) {
    return chainTo(attachment, below, attachment.cell)
  }
  const base = strategy === copy || strategy === share ? attachment.seed : forkWith(attachment, attachment.seed)
  return mark(fresh(base), { attachment, below, base })
}

const parentOf = (own: Entries | undefined, attachment: Attachment): Cell | undefined =>
  own === undefined ? attachment.cell : slotOf(own)?.cell?.parent

/** One entry, as the task sees it. */
export const getEntry = (value: Entries, attachment: Attachment, key: string): Option.Option<unknown> => {
  const strategy = attachment.definition.fork
  if (strategy === share) {
    return HashMap.get(attachment.cell.entries, key)
  }
  const own = find(value, attachment)
  if (strategy !== chain) {
    return HashMap.get(own ?? attachment.seed, key)
  }
  const found = own === undefined ? Option.none() : HashMap.get(own, key)
  if (Option.isSome(found)) {
    return found
  }
  for (let cell = parentOf(own, attachment); cell !== undefined; cell = cell.parent) {
    const inherited = HashMap.get(cell.entries, key)
    if (Option.isSome(inherited)) {
      return inherited
    }
  }
  return found
}

/** One entry of the task's own layer: what a write replaces. */
export const getOwn = (value: Entries, attachment: Attachment, key: string): Option.Option<unknown> => {
  const { cell, definition: { fork: strategy }, seed } = attachment
  if (strategy === share) {
    return HashMap.get(cell.entries, key)
  }
  const own = find(value, attachment) ?? (strategy === chain ? absent : seed)
  return HashMap.get(own, key)
}

/** The map of an attachment, where it is one map that changes with the value alone: not so under `share` and `chain`. */
export const wholeOf = (value: Entries, attachment: Attachment): Entries | undefined =>
  isLinked(attachment) ? undefined : find(value, attachment) ?? attachment.seed

/** Whether tasks read maps that others may change. */
export const isLinked = ({ definition: { fork: strategy } }: Pick<Attachment, "definition">): boolean =>
  strategy === share || strategy === chain

/** The whole map, as the task sees it. O(1), except under `chain`, where the layers are merged. */
export const allEntries = (value: Entries, attachment: Attachment): Entries => {
  const strategy = attachment.definition.fork
  if (strategy === share) {
    return fresh(attachment.cell.entries)
  }
  const own = find(value, attachment)
  if (strategy !== chain) {
    return fresh(own ?? attachment.seed)
  }
  let merged = own ?? HashMap.empty()
  for (let cell = parentOf(own, attachment); cell !== undefined; cell = cell.parent) {
    merged = HashMap.union(cell.entries, merged)
  }
  return fresh(merged)
}

/** The value after `f` changed the task's own map; the same value when `f` changed nothing. */
export const modifyEntries = (
  value: Entries,
  attachment: Attachment,
  keeps: Keeps,
  f: (own: Entries) => Entries
): Entries => {
  const { cell } = attachment
  const isShared = attachment.definition.fork === share
  const start = find(value, attachment) === undefined ? materialize(value, attachment, keeps) : value
  const own = isShared ? cell.entries : find(start, attachment)!
  const next = f(own)
  if (next === own) {
    return value
  }
  if (isShared) {
    cell.entries = next
  }
  return replaceOwn(start, attachment, next)
}

const replaceOwn = (value: Entries, attachment: Attachment, next: Entries): Entries => {
  const head = value === absent ? undefined : slotOf(value)
  if (head !== undefined && head.attachment === attachment) {
    return replaceHead(head, next)
  }
  const found = find(value, attachment)
  const below = remove(value, attachment)
  return replaceHead(
    { ...(found === undefined ? undefined : slotOf(found)), attachment, below: below === absent ? undefined : below },
    next
  )
}
