/**
 * Log annotations and span attributes that follow a context's entries.
 *
 * Effect reads them from fiber refs of its own. So whatever changes a context's map in a state also changes, in that state,
 * the annotations that follow the context.
 */
import * as Context from "effect/Context"
import * as Equal from "effect/Equal"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import type { AnyFiber } from "../effect3/fiber.js"
import { changeNextState, setState, stateOf } from "../effect3/fiber.js"
import type { MapRef } from "../effect3/refs.js"
import { withFinalizer } from "../effect3/scope.js"
import type { Ref, Stack, State } from "../effect3/state.js"
import { annotationsOf, makeRef, onTop, serviceOf, valueOf, withStacks, withValue } from "../effect3/state.js"
import { globalValue } from "../global.js"
import { type Entries, fresh, lookup, none } from "../map/entries.js"
import { allEntries, type Holder } from "../map/held.js"
import type { Region, Shown } from "../map/region.js"

/** Which entries of which context are annotations. */
export interface Annotated {
  readonly ref: MapRef
  readonly key: string
  /** Where it is not there, all of them are, under their own names. */
  readonly keys: ReadonlyArray<Shown> | undefined
  readonly into: "logs" | "spans"
}

interface Annotator extends Annotated {
  closed: boolean
}

/** Who has a state. */
export type Self = Pick<Holder, "owner" | "writer"> & { readonly id: AnyFiber extends { id(): infer I } ? I : never }

const annotators: Ref<ReadonlyArray<Annotator>> = /* @__PURE__ */ globalValue(
  "aiocontext/annotators",
  () => makeRef<ReadonlyArray<Annotator>>([])
)

/** The entries that are to be annotations. */
const shown = (state: State, { key, keys, ref }: Annotated, { owner, writer }: Self): Entries => {
  const service = serviceOf(state, key) as Region | undefined
  const entries = allEntries({ value: valueOf(state, ref), service, owner, writer })
  return keys === undefined ? entries : HashMap.fromIterable(
    keys.flatMap(({ key, name }) => {
      const entry = lookup(entries, key)
      return entry._tag === "Some" ? [[name, entry.value] as const] : []
    })
  )
}

// Equal to itself alone: a fiber that builds the layer hands its annotations on, none too.
const noAnnotations: Entries = /* @__PURE__ */ Object.defineProperty(
  /* @__PURE__ */ fresh(none),
  Equal.symbol,
  {
    value(this: Entries, that: Equal.Equal) {
      return this === that
    }
  }
)

const replaced = (all: Entries, before: Entries, after: Entries): Entries => {
  const next = HashMap.union(HashMap.removeMany(all, HashMap.keys(before)), after)
  return HashMap.isEmpty(next) ? noAnnotations : next
}

/**
 * A state with other annotations. Those of the fibers above get them too: a join hands on what differs from them, and a
 * child's entries must not reach the annotations of the fiber that joins it.
 */
const withAnnotations = (
  state: State,
  into: Annotated["into"],
  { after, before, id }: { readonly before: Entries; readonly after: Entries; readonly id: Self["id"] }
): State => {
  const target = annotationsOf(into)
  const [first, ...rest]: Stack = state.locals.get(target) ?? [[id, noAnnotations]]
  const replace = ([id, all]: Stack[0]): Stack[0] => [id, replaced(all as Entries, before, after)]
  return withStacks(state, [[target, [replace(first), ...rest.map(replace)]]])
}

/** A state that another one became, with the annotations that follow its maps. */
export const annotated = (before: State, after: State, self: Self): State => {
  const following = valueOf(before, annotators)
  return following.length === 0 ? after : following.reduce((state, annotator) => {
    const { closed, into, key, ref } = annotator
    const isSame = valueOf(before, ref) === valueOf(after, ref) && serviceOf(before, key) === serviceOf(after, key)
    return closed || isSame
      ? state
      : withAnnotations(state, into, {
        before: shown(before, annotator, self),
        after: shown(after, annotator, self),
        id: self.id
      })
  }, after)
}

/** A join is changing the maps of a fiber: its annotations are to follow. */
export const annotateJoined = (fiber: AnyFiber): void => {
  const before = stateOf(fiber)
  if (valueOf(before, annotators).length > 0) {
    changeNextState(fiber, (after) => annotated(before, after, selfOf(fiber)))
  }
}

const selfOf = (fiber: AnyFiber): Self => ({ id: fiber.id(), owner: fiber.id(), writer: fiber })

/** Adds an annotator to a fiber, or takes a closed one away. */
const renew = (fiber: AnyFiber, annotator: Annotator): void => {
  const state = stateOf(fiber)
  const self = selfOf(fiber)
  const open = [...valueOf(state, annotators), annotator].filter(({ closed }) => !closed)
  const next = open.length === 0
    ? withValue(state, annotators, [], self.id)
    : withStacks(state, [onTop(state, annotators, open, self.id)])
  const entries = shown(state, annotator, self)
  const { closed, into } = annotator
  setState(
    fiber,
    withAnnotations(next, into, {
      before: closed ? entries : none,
      after: closed ? none : entries,
      id: self.id
    })
  )
}

/** A layer under which log lines or spans carry a context's entries. */
export const annotationLayer = (options: Annotated): Layer.Layer<never> =>
  Layer.scopedContext(withFinalizer({
    acquire: (fiber) => {
      const annotator: Annotator = { ...options, closed: false }
      renew(fiber, annotator)
      return annotator
    },
    release: (fiber, annotator) => {
      annotator.closed = true
      renew(fiber, annotator)
    },
    services: Context.empty
  }))
