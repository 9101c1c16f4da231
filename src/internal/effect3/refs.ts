/**
 * The fiber refs that the library makes.
 */
import * as effect from "effect"
import * as Differ from "effect/Differ"
import { globalValue } from "../global.js"
import { absent, type Entries } from "../map/entries.js"
import { fork } from "../map/fork.js"
import type { Holder } from "../map/held.js"
import * as joins from "../map/join.js"
import type { Region } from "../map/region.js"
import { type AnyFiber, currentFiber, serviceOfFiber } from "./fiber.js"
import { type AnyRef, type Change, forkValue, type Ref, serviceOf, type State, taskId, withStacks } from "./state.js"

import FiberRef = effect.FiberRef

/** The fiber ref of a context: the map of the fiber that reads it. */
export type MapRef = Ref<Entries>

/** The fiber refs of contexts, each with its context's id. */
export const mapRefs: Map<MapRef, string> = /* @__PURE__ */ globalValue("aiocontext/mapRefs", () => new Map())

/** Those of contexts which do something where a child starts. */
export const startRefs: Set<MapRef> = /* @__PURE__ */ globalValue("aiocontext/startRefs", () => new Set())

/** What else a context's fiber ref needs to know. */
export interface MapRefOptions {
  /** Whether something is done where a child starts. */
  readonly hasStart: boolean
  /** Called in a fiber whose map a join is changing. */
  readonly onJoin: (fiber: AnyFiber) => void
}

/** The fiber ref of the context with this id: one a process, whoever defines the context. */
export const makeMapRef = (key: string, { hasStart, onJoin }: MapRefOptions): MapRef => {
  const ref = mapRefOf(key, onJoin)
  if (hasStart) {
    startRefs.add(ref)
  }
  return ref
}

const mapRefOf = (key: string, onJoin: MapRefOptions["onJoin"]): MapRef =>
  globalValue(`aiocontext/ref/${key}`, () => {
    // forks, joins and patches are done by the fiber that runs
    const holderOf = (value: Entries): Holder => {
      const fiber = currentFiber()
      return {
        value,
        service: fiber && serviceOfFiber(fiber, key) as Region | undefined,
        owner: fiber?.id() ?? taskId,
        writer: fiber ?? taskId
      }
    }
    const ref: MapRef = FiberRef.unsafeMakePatch<Entries, joins.Patch>(absent, {
      differ: Differ.make<Entries, joins.Patch>({
        empty: { _tag: "Nothing" },
        combine: (first, second) => second._tag === "Nothing" ? first : second,
        diff: (before, after) => {
          const fiber = currentFiber()
          return joins.diff({ before, after, holds: fiber?.getFiberRef(ref), fiber: fiber?.id() })
        },
        patch: (patch, value) => joins.patched(patch, holderOf(value), currentFiber()?.id())
      }),
      fork: { _tag: "Fork" },
      join: (parent, child) => {
        const joined = joins.joined(holderOf(parent), child)
        const fiber = currentFiber()
        if (joined !== parent && fiber !== undefined) {
          onJoin(fiber)
        }
        return joined
      }
    })
    mapRefs.set(ref, key)
    return ref
  })

/** A value that each task has beside the maps. */
export type Local<A> = Ref<A>

/** What the value of a local becomes in code that goes on beside its task. */
export const locals: Map<AnyRef, (value: any) => any> = /* @__PURE__ */ globalValue(
  "aiocontext/localRefs",
  () => new Map()
)

type LocalPatch<A> =
  | { readonly _tag: "Fork" }
  | { readonly _tag: "Change"; readonly after: A; readonly fiber: unknown }
  | { readonly _tag: "Nothing" }

/** Makes a local: one a process and id. Joins leave the parent's value as it is. */
export const makeLocalRef = <A>(
  { detach, fork, id, initial }: {
    readonly id: string
    readonly initial: A
    readonly fork: (value: A) => A
    readonly detach: (value: A) => A
  }
): Local<A> =>
  globalValue(`aiocontext/local/${id}`, () => {
    const ref: Local<A> = FiberRef.unsafeMakePatch<A, LocalPatch<A>>(initial, {
      differ: Differ.make<A, LocalPatch<A>>({
        empty: { _tag: "Nothing" },
        combine: (first, second) => second._tag === "Nothing" ? first : second,
        diff: (_, after) => ({ _tag: "Change", after, fiber: currentFiber()?.id() }),
        patch: (patch, value) => {
          switch (patch._tag) {
            case "Fork":
              return fork(value)
            case "Nothing":
              return value
            case "Change":
              // what a memoized layer or effect did in another fiber is that fiber's
              return patch.fiber === currentFiber()?.id() ? patch.after : value
          }
        }
      }),
      fork: { _tag: "Fork" },
      join: (parent) => parent
    })
    locals.set(ref, detach)
    return ref
  })

/** Whether a fiber ref is one of the library's. */
export const isOurs = (ref: AnyRef): boolean => mapRefs.has(ref) || locals.has(ref)

/** The state of a child task: its parent's very state where nothing forks. */
export const forkState = (state: State): State => {
  const changes: Array<Change> = []
  for (const [ref, stack] of state.locals) {
    const key = mapRefs.get(ref)
    const value: unknown = stack[0][1]
    const forked: unknown = key === undefined
      ? forkValue(ref, value)
      : fork(value as Entries, serviceOf(state, key) as Region | undefined)
    if (forked !== value) {
      changes.push([ref, [[taskId, forked]]])
    }
  }
  return changes.length === 0 ? state : withStacks(state, changes)
}
