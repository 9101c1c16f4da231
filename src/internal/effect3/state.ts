/**
 * A task's state: what the engine keeps for a fiber. It is its fiber refs, among them the services and the context maps.
 *
 * A state is one immutable value. A fiber has its own, and a promise task holds one.
 */
import * as effect from "effect"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as HashMap from "effect/HashMap"
import type { Id } from "./fiber.js"

import FiberId = effect.FiberId
import FiberRef = effect.FiberRef
import FiberRefs = effect.FiberRefs

/** What the engine keeps for a task. */
export type State = effect.FiberRefs.FiberRefs

/** A value that each task has. */
export type Ref<A> = effect.FiberRef.FiberRef<A>

/** A ref of whatever value. A ref reads and writes its value, so no type but this one stands for all of them. */
export type AnyRef = Ref<any>

/** The values of a ref, the last first: who wrote it, and what. The others are those of the fibers above. */
export type Stack = State["locals"] extends Map<any, infer A> ? A : never

// What every fiber ref has; the published types leave it out.
interface RefInternals<A> {
  readonly initial: A
  readonly fork: unknown
  patch(patch: unknown): (value: A) => A
}

const internals = <A>(ref: Ref<A>): RefInternals<A> => ref as unknown as RefInternals<A>

/** The state of a task that nothing was given to. */
export const emptyState: State = /* @__PURE__ */ FiberRefs.empty()

/** The fiber that promise tasks write as: older than every fiber that comes after it. */
export const taskId: Id = /* @__PURE__ */ effect.GlobalValue.globalValue(
  "aiocontext/taskId",
  () => FiberId.unsafeMake()
)

/** The value that a ref has where none was given to it. */
export const initialOf = <A>(ref: Ref<A>): A => internals(ref).initial

/** The value of a ref in a state. */
export const valueOf = <A>(state: State, ref: Ref<A>): A => {
  const stack = state.locals.get(ref)
  return stack === undefined ? internals(ref).initial : stack[0][1]
}

/** The services of a state. */
export const servicesOf = (state: State): Context.Context<never> => valueOf(state, FiberRef.currentContext)

/** The service of a tag in a state, if it is there. */
export const serviceOf = (state: State, key: string): unknown => servicesOf(state).unsafeMap.get(key)

// `new Map(map)` makes an array of each entry: copying takes almost twice as long with it
const copyMap = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => {
  const copy = new Map<K, V>()
  for (const [key, value] of map) {
    copy.set(key, value)
  }
  return copy
}

/** What a ref is to hold: nothing, where it is to have its initial value. */
export type Change = readonly [ref: AnyRef, stack: Stack | undefined]

/** A state in which some refs hold something else. O(number of refs). */
export const withStacks = (state: State, changes: Iterable<Change>): State => {
  const locals = copyMap(state.locals)
  for (const [ref, stack] of changes) {
    if (stack === undefined) {
      locals.delete(ref)
    } else {
      locals.set(ref, stack)
    }
  }
  return FiberRefs.unsafeMake(locals)
}

/** What a ref is to hold for one value: without those of the fibers above, so that a line of fibers keeps none of them. */
export const alone = <A>(ref: Ref<A>, value: A, id: Id): Change => [
  ref,
  value === internals(ref).initial ? undefined : [[id, value]]
]

/** A state with another value of a ref. */
export const withValue = <A>(state: State, ref: Ref<A>, value: A, id: Id): State =>
  withStacks(state, [alone(ref, value, id)])

// A join looks for the last value that both fibers know. So many levels above are known as in a tree of fibers that is
// written by hand; of those above them only the first one is kept, which all fibers of a program have.
const levels = 4

/** What a ref holds, without what a line of fibers would pile up. */
const trimmed = (stack: Stack): Stack =>
  stack.length <= levels ? stack : [...stack.slice(0, levels - 1), stack[stack.length - 1]!] as unknown as Stack

const stackWith = (previous: Stack | undefined, id: Id, value: unknown): Stack => {
  const above = previous === undefined ? [] : previous[0][0] === id ? previous.slice(1) : previous
  return trimmed([[id, value], ...above])
}

/** The services as they are, without those of all fibers above. */
export const trimmedServices = (state: State): ReadonlyArray<Change> => {
  const stack = state.locals.get(FiberRef.currentContext)
  return stack === undefined || stack.length <= levels ? [] : [[FiberRef.currentContext, trimmed(stack)]]
}

/** What the services are to be for a task to have one more. */
export const withService = (state: State, key: string, service: unknown, id: Id): Change => {
  const services = Context.unsafeMake<never>(copyMap(servicesOf(state).unsafeMap).set(key, service))
  return [FiberRef.currentContext, stackWith(state.locals.get(FiberRef.currentContext), id, services)]
}

/** What a ref is to hold for a value on top of those of the fibers above, which a join compares with. */
export const onTop = <A>(state: State, ref: Ref<A>, value: A, id: Id): Change => [
  ref,
  stackWith(state.locals.get(ref), id, value)
]

/** What a ref holds. */
export const held = (state: State, ref: AnyRef): Change => [ref, state.locals.get(ref)]

/** What the services are. */
export const heldServices = (state: State): Change => held(state, FiberRef.currentContext)

/** Makes a ref that children inherit, and joins hand on. */
export const makeRef = <A>(initial: A): Ref<A> => FiberRef.unsafeMake(initial)

/** Where Effect keeps the annotations of log lines and of spans. */
export const annotationsOf = (of: "logs" | "spans"): Ref<HashMap.HashMap<string, unknown>> =>
  of === "logs" ? FiberRef.currentLogAnnotations : FiberRef.currentTracerSpanAnnotations

/** The value of a ref, as an effect. */
export const getRef = <A>(ref: Ref<A>): Effect.Effect<A> => FiberRef.get(ref)

/** Sets a ref, as an effect. */
export const setRef = <A>(ref: Ref<A>, value: A): Effect.Effect<void> => FiberRef.set(ref, value)

/** What a child gets of a value, as the ref's maker wants it. */
export const forkValue = <A>(ref: Ref<A>, value: A): A => {
  const { fork, patch } = internals(ref)
  return patch(fork)(value)
}
