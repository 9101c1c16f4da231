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
import { setState, stateOf } from "../effect3/fiber.js"
import type { MapRef } from "../effect3/refs.js"
import { withFinalizer } from "../effect3/scope.js"
import type { Stack, State } from "../effect3/state.js"
import { annotationsOf, onTop, serviceOf, valueOf, withStacks, withValue } from "../effect3/state.js"
import { type Entries, fresh, lookup, none } from "../map/entries.js"
import { allEntries } from "../map/held.js"
import type { Region, Shown } from "../map/region.js"
import { type Follower, followers, type Self, selfOfFiber } from "./followers.js"

/** Which entries of which context are annotations. */
export interface Annotated {
  readonly ref: MapRef
  readonly key: string
  /** Where it is not there, all of them are, under their own names. */
  readonly keys: ReadonlyArray<Shown> | undefined
  readonly into: "logs" | "spans"
}

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

/** What keeps the annotations of a state as the context's entries are. */
const makeFollower = (options: Annotated): Follower => ({
  closed: false,
  follow: (before, state, self) => {
    const { into, key, ref } = options
    const isSame = valueOf(before, ref) === valueOf(state, ref) && serviceOf(before, key) === serviceOf(state, key)
    return isSame ? state : withAnnotations(state, into, {
      before: shown(before, options, self),
      after: shown(state, options, self),
      id: self.id
    })
  }
})

/** Gives a fiber the followers that are open, this one among them. */
const renew = (fiber: AnyFiber, follower: Follower): State => {
  const state = stateOf(fiber)
  const open = [...valueOf(state, followers), follower].filter(({ closed }) => !closed)
  return open.length === 0
    ? withValue(state, followers, [], fiber.id())
    : withStacks(state, [onTop(state, followers, open, fiber.id())])
}

/** A layer under which log lines or spans carry a context's entries. */
export const annotationLayer = (options: Annotated): Layer.Layer<never> => {
  const entriesIn = (fiber: AnyFiber): Entries => shown(stateOf(fiber), options, selfOfFiber(fiber))
  return Layer.scopedContext(withFinalizer({
    acquire: (fiber) => {
      const follower = makeFollower(options)
      const change = { before: none, after: entriesIn(fiber), id: fiber.id() }
      setState(fiber, withAnnotations(renew(fiber, follower), options.into, change))
      return follower
    },
    release: (fiber, follower) => {
      follower.closed = true
      const change = { before: entriesIn(fiber), after: none, id: fiber.id() }
      setState(fiber, withAnnotations(renew(fiber, follower), options.into, change))
    },
    services: Context.empty
  }))
}
