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
import { isTagged } from "effect/Predicate"
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
  /** The map behind it: that of the parent task, or the one that all tasks share. */
  readonly parent?: Cell | undefined
}

interface Slot {
  readonly attachment: Attachment
  /** The maps of the enclosing attachments; `absent` below the outermost. */
  readonly below: Entries
  /** `chain` and `share`: the task's own layer, for its children to read, and the maps behind it. */
  readonly cell?: Cell | undefined
  /** What the child began with, where that is not the parent's very map. */
  readonly base?: Entries | undefined
  /** In a finalizer: the value that its fiber goes back to. */
  readonly entered?: Entries | undefined
}

/** A context attached to a region: the service in the fiber's context. */
export interface Attachment {
  readonly _tag: "aiocontext/Attachment"
  readonly definition: Definition
  readonly seed: Entries
  readonly outer: Attachment | undefined
  /** Attached by a layer: the fiber that built it hands the slot on when it is joined. */
  readonly built: boolean
  /** The tag that it was attached with. */
  readonly tag: unknown
  /** What a task reads that was handed the service alone. `share`: the one map. `chain`: the layer that was attached. */
  readonly cell: Cell
  /** Its region is over. */
  closed: boolean
}

/** Makes an attachment. */
export const makeAttachment = (
  definition: Definition,
  seed: Entries,
  outer: unknown,
  built: boolean,
  tag: unknown
): Attachment => ({
  _tag: "aiocontext/Attachment",
  definition,
  seed,
  outer: outer as Attachment | undefined,
  built,
  tag,
  cell: { entries: seed },
  closed: false
})

/** Whether a service is an attached context. Told by its tag: another copy of the package may have made it. */
export const isAttachment = (service: unknown): service is Attachment => isTagged(service, "aiocontext/Attachment")

// A property of a HashMap that is ours alone: the quickest of the ways that keep `FiberRef<HashMap>` true. Two copies of the
// package read each other's maps.
const SlotId: unique symbol = Symbol.for("aiocontext/slot")

interface Marked extends Entries {
  [SlotId]?: Slot
  [Equal.symbol](that: Equal.Equal): boolean
}

const slotOf = (entries: Marked): Slot | undefined => entries[SlotId]

// The engine drops a fork's or a join's value that equals the one before it. Two maps with equal entries may be of
// different attachments, or hold equal values that are not the same ones.
function isSame(this: Entries, that: Equal.Equal): boolean {
  return this === that || (!slotOf(that as Entries) && unmarked[Equal.symbol].call(this, that))
}

const unmarked: Equal.Equal = Object.getPrototypeOf(HashMap.empty())

const mark = (own: Marked, slot: Slot): Entries => {
  if (slot.cell ?? slot.base) {
    // spares the engine the hashing of each entry, to find what is never equal
    Hash.cached(own, identity++)
  }
  own[SlotId] = slot
  own[Equal.symbol] = isSame
  return own
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

// -----------------------------------------------------------------------------------------------------------------
// the slots of a value
// -----------------------------------------------------------------------------------------------------------------

/** The map of `attachment` in a fiber ref's value. A map that was written past the library is whose it is read for. */
const find = (value: Entries, attachment: Attachment): Entries | undefined => {
  let own = value
  while (own !== absent) {
    const slot = slotOf(own)
    if (!slot || slot.attachment === attachment) {
      return own
    }
    own = slot.below
  }
  return undefined
}

/** Makes a value of the maps of another one, the outermost first, on top of `bottom`; by default of what is not marked. */
const fold = (
  value: Entries,
  f: (below: Entries, own: Entries, slot: Slot) => Entries,
  bottom?: Entries
): Entries => {
  const slot = slotOf(value)
  return slot ? f(fold(slot.below, f, bottom), value, slot) : bottom ?? value
}

/** A map with this slot on top of a value: the very same one where that is what it is. */
const put = (below: Entries, own: Entries, slot: Slot): Entries =>
  below === slot.below && slotOf(own) === slot ? own : mark(fresh(own), { ...slot, below })

/** Has those who are linked to a task read this map of it. */
const link = (own: Entries): Entries => {
  const cell = slotOf(own)?.cell
  if (cell) {
    cell.entries = own
  }
  return own
}

/** Whether an attachment is another one, or encloses it. */
export const encloses = (attachment: Attachment, inner: Attachment | undefined): boolean =>
  !!inner && (inner === attachment || encloses(attachment, inner.outer))

/** Whether a fiber may go back to the region of an attachment, over though it may be: the fiber was forked there. */
export type Keeps = (attachment: Attachment) => boolean

/** Drops the slots of some attachments: `absent` when nothing is left. */
const drop = (value: Entries, isGone: (attachment: Attachment) => boolean): Entries =>
  fold(value, (below, own, slot) => isGone(slot.attachment) ? below : put(below, own, slot), absent)

/** Drops what belongs to regions that are over, unless they enclose `top` or the fiber keeps them. */
const prune = (value: Entries, top: Attachment, keeps: Keeps): Entries =>
  value !== absent && !slotOf(value) && top.outer
    // written past the library, through the fiber ref: it is the enclosing attachment's
    ? mark(fresh(value), { attachment: top.outer, below: absent })
    : drop(
      value,
      (attachment) => attachment === top || (attachment.closed && !encloses(attachment, top) && !keeps(attachment))
    )

/** Attaches: a slot for `attachment` on top, with its seed. */
export const push = (value: Entries, attachment: Attachment, keeps: Keeps): Entries => {
  const { cell, definition: { fork }, seed } = attachment
  const below = prune(value, attachment, keeps)
  return fork === share
    ? put(below, HashMap.empty(), { attachment, below, cell: { entries: seed, parent: cell } })
    : put(below, seed, { attachment, below, cell: fork === chain ? cell : undefined })
}

/** Detaches: the value without the slot of `attachment`. */
export const remove = (value: Entries, attachment: Attachment): Entries => drop(value, (other) => other === attachment)

// -----------------------------------------------------------------------------------------------------------------
// forks
// -----------------------------------------------------------------------------------------------------------------

const forkWith = ({ definition }: Attachment, parent: Entries): Entries => {
  try {
    const child = definition.fork(parent)
    if (HashMap.isHashMap(child)) {
      return child
    }
    throw new TypeError("it returned no HashMap")
  } catch (cause) {
    const context = definition.key
    throw new ForkError(cause instanceof ForkError ? { ...cause, cause: cause.cause, context } : { context, cause })
  }
}

const forkOne = (below: Entries, own: Entries, slot: Slot): Entries => {
  const { attachment, base, cell } = slot
  const child = forkWith(attachment, own)
  return child === own && !base
    ? put(below, own, slot)
    : link(put(below, child, { attachment, below, base: child, cell: cell && { entries: child, parent: cell } }))
}

const detachOne = (below: Entries, own: Entries, slot: Slot): Entries =>
  slot.cell ? link(put(below, own, { ...slot, cell: { ...slot.cell } })) : put(below, own, slot)

/** The value that a child starts with, given its parent's. O(1) for `copy`, `share` and `chain`. */
export const fork = (value: Entries): Entries => fold(value, forkOne)

/** The value of code that goes on beside its task: as `chain` would fork it, but with a layer that starts as it is. */
export const detach = (value: Entries): Entries => fold(value, detachOne)

// -----------------------------------------------------------------------------------------------------------------
// joins and patches
// -----------------------------------------------------------------------------------------------------------------

const isSameEntry = /* @__PURE__ */ Option.getEquivalence<unknown>(Object.is)

/** The map of one task with what another one changed, given what the other one started with. */
const changes = (base: Entries, child: Entries, parent: Entries): Entries =>
  HashMap.reduce(HashMap.union(base, child), parent, (merged, _, key) => {
    const entry = HashMap.get(child, key)
    return isSameEntry(HashMap.get(base, key), entry) ? merged : HashMap.modifyAt(merged, key, () => entry)
  })

/**
 * Takes over the attachments that a layer made in `child` and that are still open; where the child's `ancestor` is
 * known, also what it changed in those that both have and that merge.
 */
const receive = (parent: Entries, child: Entries, ancestor?: Entries): Entries =>
  fold(child, (rest, own, slot) => {
    const { attachment, base } = slot
    const target = find(rest, attachment)
    if (!target) {
      return attachment.built && !attachment.closed
        ? put(prune(rest, attachment, (kept) => !!find(slot.below, kept)), own, slot)
        : rest
    }
    if (!ancestor || attachment.definition.join !== "merge") {
      return rest
    }
    const merged = changes(base ?? find(ancestor, attachment) ?? attachment.seed, own, target)
    return merged === target ?
      rest :
      slotOf(rest) ?
      fold(
        rest,
        (below, own, slot) => slot.attachment === attachment ? link(put(below, merged, slot)) : put(below, own, slot)
      ) :
      merged
  }, parent)

interface Change {
  readonly before: Entries
  readonly after: Entries
}

// A join applies the patch of the child's change and is then asked, at once, what to make of the result.
let applied: Change | undefined

/** Makes a value of the maps of `after`, and below them of those that `other` has besides and `before` had not. */
const over = (
  after: Entries,
  other: Entries,
  before: Entries,
  f: (below: Entries, own: Entries, slot: Slot) => Entries
): Entries =>
  fold(
    after,
    f,
    fold(
      other,
      (below, own, slot) =>
        (find(after, slot.attachment) ?? find(before, slot.attachment)) ? below : f(below, own, slot),
      absent
    )
  )

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
  applied = { before, after }
  if (before === after) {
    return current
  }
  if (!held) {
    return receive(current, after)
  }
  if (current === before || !slotOf(after)) {
    return after
  }
  if (current === after) {
    return held !== before ? after : over(after, before, absent, (below, own, slot) => {
      const is = find(before, slot.attachment) ?? own
      return put(below, is, { ...(slotOf(is) ?? slot), entered: before })
    })
  }
  return over(after, current, before, (below, own, slot) => {
    const was = find(before, slot.attachment)
    const is = find(current, slot.attachment)
    if (!was) {
      return put(below, is ?? own, slot)
    }
    if (!is) {
      return below
    }
    const start = slotOf(is)?.entered === after ? own : was
    return link(put(below, start === own ? is : changes(start, is, own), slot))
  })
}

/** What a join does to the joining fiber's value: `joined` is the parent's, patched with the child's change. */
export const join = (parent: Entries, joined: Entries): Entries => {
  // a fiber without a value of its own is asked without a patch
  const change = parent === absent ? undefined : applied
  applied = undefined
  return receive(parent, change?.after ?? joined, change?.before)
}

// -----------------------------------------------------------------------------------------------------------------
// the map of one attachment, read and written through a fiber ref's value
// -----------------------------------------------------------------------------------------------------------------

/** Whether tasks read maps that others may change. */
export const isLinked = ({ definition: { fork } }: Pick<Attachment, "definition">): boolean =>
  fork === share || fork === chain

/** Whether a task without a slot must be given one before it reads: its strategy makes values of its own. */
export const mustMaterialize = (value: Entries, attachment: Attachment): boolean =>
  attachment.definition.fork !== copy && !isLinked(attachment) && !find(value, attachment)

/** A slot for a task that was handed the service alone: that of a child. */
export const materialize = (value: Entries, attachment: Attachment, keeps: Keeps): Entries => {
  const pushed = push(value, attachment, keeps)
  const slot = slotOf(pushed)!
  return forkOne(slot.below, pushed, slot)
}

/** The task's own map. */
const ownOf = (value: Entries, attachment: Attachment): Entries => find(value, attachment) ?? attachment.cell.entries

/** What is behind a task's own map. */
const behind = (own: Entries): Cell | undefined => slotOf(own)?.cell?.parent

/** One entry, as the task sees it. */
export const getEntry = (value: Entries, attachment: Attachment, key: string): Option.Option<unknown> => {
  const own = ownOf(value, attachment)
  // as `HashMap.get`, which asks first what the key is
  const found = HashMap.getHash(own, key, Hash.string(key))
  return found._tag === "None" && isLinked(attachment) ? getBehind(own, key) : found
}

const getBehind = (own: Entries, key: string): Option.Option<unknown> => {
  for (let cell = behind(own); cell; cell = cell.parent) {
    const found = HashMap.get(cell.entries, key)
    if (Option.isSome(found)) {
      return found
    }
  }
  return Option.none()
}

/** The map of an attachment, where it is one map that changes with the value alone: not so under `share` and `chain`. */
export const wholeOf = (value: Entries, attachment: Attachment): Entries | undefined =>
  isLinked(attachment) ? undefined : ownOf(value, attachment)

/** The whole map, as the task sees it. O(1), except under `chain`, where the layers are merged. */
export const allEntries = (value: Entries, attachment: Attachment): Entries => {
  let merged = ownOf(value, attachment)
  for (let cell = behind(merged); cell; cell = cell.parent) {
    merged = HashMap.union(cell.entries, merged)
  }
  return fresh(merged)
}

/** A change of what a task writes to: the same map where it changes nothing, else one that is nobody else's. */
export type Modify = (own: Entries, attachment: Attachment) => Entries

/** The value after `f` changed what the task writes to; `undefined` where it changed nothing. */
export const modifyEntries = (
  value: Entries,
  attachment: Attachment,
  keeps: Keeps,
  f: Modify
): Entries | undefined => {
  const found = find(value, attachment)
  const start = found ? value : materialize(value, attachment, keeps)
  const own = found ?? start
  const { cell } = attachment
  const isShared = attachment.definition.fork === share
  const before = isShared ? cell.entries : own
  const next = f(before, attachment)
  if (next === before) {
    return undefined
  }
  if (isShared) {
    cell.entries = next
  }
  const slot = slotOf(own)
  return link(mark(
    isShared ? fresh(own) : next,
    slot && own === start ? slot : { ...slot, attachment, below: remove(start, attachment) }
  ))
}
