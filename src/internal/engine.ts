/**
 * The seam towards the engine: all that the library needs from Effect 3 and that Effect 4 does differently.
 *
 * Nothing else in `src` names a fiber ref, a scheduler, a supervisor, a runtime or its flags. A line for another major
 * of Effect swaps this file.
 *
 * A task's **state** is what the engine keeps for a fiber: its fiber refs, among them the services and the context
 * maps. It is one immutable value; a promise task holds such a value, a fiber has its own.
 */
import * as effect from "effect"
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Differ from "effect/Differ"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as attachments from "./attachment.js"
import type { Attachment, Entries } from "./attachment.js"
import { globalValue } from "./global.js"

// What Effect 4 lacks: see global.ts.
import FiberId = effect.FiberId
import FiberRef = effect.FiberRef
import FiberRefs = effect.FiberRefs
import RuntimeFlags = effect.RuntimeFlags
import Supervisor = effect.Supervisor

/** A running or finished fiber. */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** A value that each task has, and a child gets from its parent. */
export type Local<A> = FiberRef.FiberRef<A>

/** The fiber ref of a context. */
export type Ref = Local<Entries>

/** Who wrote a value. */
export type Id = FiberId.Runtime

/** What the engine keeps for a task. */
export type State = FiberRefs.FiberRefs

// What the class behind a `RuntimeFiber` has beyond its interface. `getFiberRefs()` builds a new object at each call,
// and the interface has no way to write; a fiber that is suspended, or that runs this very code, may be written to.
interface FiberInternals extends AnyFiber {
  readonly _fiberRefs: State
  readonly run: () => void
  getChildren(): Set<AnyFiber>
  evaluateEffect(effect: FiberEffect): void
  currentRuntimeFlags: RuntimeFlags.RuntimeFlags
  setFiberRefs(state: State): void
  refreshRefCache(this: unknown): void
  currentScheduler: Scheduler.Scheduler
  readonly currentSupervisor: Supervision
}

// What every fiber ref has; the published types leave it out.
interface RefInternals<A> {
  readonly initial: A
  readonly fork: unknown
  diff(before: A, after: A): unknown
  patch(patch: unknown): (value: A) => A
}

const internals = <A>(ref: FiberRef.FiberRef<A>): RefInternals<A> => ref as unknown as RefInternals<A>

type Stack = State["locals"] extends Map<any, infer A> ? A : never

// -----------------------------------------------------------------------------------------------------------------
// the fiber ref of a context
// -----------------------------------------------------------------------------------------------------------------

/** The fiber refs that the library makes; with each local, what its value becomes in code that goes on beside its task. */
const own = /* @__PURE__ */ globalValue(
  "aiocontext/refs",
  () => new Map<Local<any>, ((value: any) => any) | undefined>()
)

type Patch<A> = (value: A) => A

/** `patch` makes of a value what a change does to it, where the change was made (`isHere`: in that very fiber) or elsewhere. */
const makeOwn = <A>(
  key: string,
  initial: A,
  fork: Patch<A>,
  join: (parent: A, joined: A) => A,
  patch: (before: A, after: A, value: A, isHere: boolean) => A,
  detach?: Patch<A>
): Local<A> =>
  globalValue(key, () => {
    const ref: Local<A> = FiberRef.unsafeMakePatch<A, Patch<A>>(initial, {
      differ: Differ.make<A, Patch<A>>({
        empty: (value) => value,
        combine: (first, second) => (value) => second(first(value)),
        diff: (before, after) => {
          const fiber = currentFiber()
          return (value) => patch(before, after, value, currentFiber() === fiber)
        },
        patch: (patch, value) => patch(value)
      }),
      fork,
      join
    })
    own.set(ref, detach)
    return ref
  })

/** The fiber ref of the context with this id: one a process, whoever defines the context. */
export const makeRef = (id: string): Ref => {
  const ref: Ref = makeOwn(
    `aiocontext/ref/${id}`,
    attachments.absent,
    attachments.fork,
    attachments.join,
    (before, after, value, isHere) =>
      attachments.patch(before, after, value, isHere ? currentFiber()?.getFiberRef(ref) : undefined)
  )
  return ref
}

/** A value that each task has, one a process and id. Joins leave the parent's as it is. */
export const makeLocal = <A>(id: string, initial: A, fork: Patch<A>, detach: Patch<A>): Local<A> =>
  makeOwn(
    `aiocontext/local/${id}`,
    initial,
    fork,
    (parent) => parent,
    (_, after, value, isHere) => isHere ? after : value,
    detach
  )

/** The value that a fiber ref has where none was given to it. */
export const initialOf = <A>(ref: Local<A>): A => internals(ref).initial

// -----------------------------------------------------------------------------------------------------------------
// states
// -----------------------------------------------------------------------------------------------------------------

/** The state of a task that nothing was given to. */
export const emptyState: State = /* @__PURE__ */ FiberRefs.empty()

/** The state of a fiber, as it is now. Costs nothing. */
export const stateOf = (fiber: AnyFiber): State => (fiber as FiberInternals)._fiberRefs

/** Replaces the state of a fiber that is suspended or runs the caller. */
export const setState = (fiber: AnyFiber, state: State): void => (fiber as FiberInternals).setFiberRefs(state)

/** The value of a fiber ref in a state. */
export const valueOf = <A>(state: State, ref: Local<A>): A => {
  const stack = state.locals.get(ref)
  return stack ? stack[0][1] : internals(ref).initial
}

/** The services of a state. */
const servicesOf = (state: State): Context.Context<never> => valueOf(state, FiberRef.currentContext)

/** The service of a tag in a state, if it is there. */
export const serviceOf = (state: State, key: string): unknown => servicesOf(state).unsafeMap.get(key)

/** The service of a tag that a fiber has, if it is there. */
export const serviceOfFiber = (fiber: AnyFiber, key: string): unknown => fiber.currentContext.unsafeMap.get(key)

/** All services that a fiber has. */
export const servicesOfFiber = (fiber: AnyFiber): Iterable<unknown> => fiber.currentContext.unsafeMap.values()

/** The value of a fiber ref in a fiber. */
export const valueOfFiber = <A>(fiber: AnyFiber, ref: Local<A>): A => valueOf(stateOf(fiber), ref)

/** The fiber that promise tasks write as: older than every fiber that comes after it. */
export const taskId: Id = /* @__PURE__ */ globalValue("aiocontext/taskId", () => FiberId.unsafeMake())

// A join needs a value's history for `merge`; else one entry is enough, and a line of tasks that each write and start
// the next one stays short.
const stackOf = (previous: Stack | undefined, id: FiberId.Runtime, value: unknown, keep: boolean): Stack =>
  !previous || !keep
    ? [[id, value]]
    : [[id, value], ...previous.slice(previous[0][0] === id ? 1 : 0)]

type Locals = Map<FiberRef.FiberRef<any>, Stack>

// `new Map(map)` makes an array of each entry, and takes almost twice as long
const copyMap = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => {
  const copy = new Map<K, V>()
  for (const [key, value] of map) {
    copy.set(key, value)
  }
  return copy
}

const put = <A>(locals: Locals, ref: FiberRef.FiberRef<A>, stack: Stack | undefined) =>
  stack ? locals.set(ref, stack) : locals.delete(ref)

/**
 * A state with another value of a fiber ref, and with what `f` changes besides; `attached` is what the value is read
 * with where the services do not have it yet.
 */
const withValue = <A>(
  before: State,
  id: FiberId.Runtime,
  ref: Local<A>,
  value: A,
  keep: boolean,
  f?: (locals: Locals) => void,
  attached?: Attachment
): State => {
  const locals = copyMap(before.locals)
  put(locals, ref, value === internals(ref).initial ? undefined : stackOf(locals.get(ref), id, value, keep))
  f?.(locals)
  for (const mirror of valueOf(before, mirrors)) {
    mirror.follow(before.locals, locals, id, ref, attached)
  }
  return FiberRefs.unsafeMake(locals)
}

/** A state with another value of a fiber ref. O(1) in the size of a map. */
export const writeState = <A>(state: State, ref: Local<A>, value: A): State =>
  withValue(state, taskId, ref, value, false)

/** Writes a fiber ref in a fiber, and what `f` changes besides. O(1) in the size of a map. */
export const writeFiber = <A>(
  fiber: AnyFiber,
  ref: Local<A>,
  value: A,
  keepHistory: boolean,
  f?: (locals: Locals) => void,
  attached?: Attachment
): void => setState(fiber, withValue(stateOf(fiber), fiber.id(), ref, value, keepHistory, f, attached))

// A fork keeps the parent's value below the child's own, for the patch that a join makes. Ours need it only where the child
// goes on with its parent's very value; else a line of tasks that each start the next one would hold all that went before.
export const forkStack = <A>(ref: FiberRef.FiberRef<A>, stack: Stack): Stack => {
  const { fork, patch } = internals(ref)
  const value = patch(fork)(stack[0][1] as A)
  if (value === stack[0][1]) {
    return stack
  }
  return own.has(ref) ? [[taskId, value]] : Equal.equals(value, stack[0][1]) ? stack : [[taskId, value], ...stack]
}

type SetStack = <A>(ref: Local<A>, stack: Stack | undefined) => void

/** A state with other stacks: the same one where `f` sets none. */
export const edit = (state: State, f: (set: SetStack) => void): State => {
  let locals: Locals | undefined
  f((ref, stack) => {
    locals ??= copyMap(state.locals)
    put(locals, ref, stack)
  })
  return locals ? FiberRefs.unsafeMake(locals) : state
}

/** The state of a child task: its parent's very state where no fiber ref forks. */
export const forkState = (state: State): State =>
  edit(state, (set) => {
    for (const [ref, stack] of state.locals) {
      const forked = forkStack(ref, stack)
      if (forked !== stack) {
        set(ref, forked)
      }
    }
  })

/** Edits the state of a fiber. */
export const editFiber = (fiber: AnyFiber, f: (set: SetStack) => void): void => {
  const state = stateOf(fiber)
  const edited = edit(state, f)
  if (edited !== state) {
    setState(fiber, edited)
  }
}

/** Drops what a fiber that is about to start keeps of its parent's values. */
export const forgetParent = (fiber: AnyFiber): void =>
  editFiber(fiber, (set) => {
    for (const [ref, stack] of stateOf(fiber).locals) {
      if (stack.length > 1 && stack[0][0] === fiber.id() && own.has(ref)) {
        set(ref, [stack[0]])
      }
    }
  })

const addService = (state: State, attachment: Attachment): Context.Context<never> =>
  Context.unsafeMake(copyMap(servicesOf(state).unsafeMap).set(attachment.definition.key, attachment))

/** What a fiber keeps of regions that are over: its services' history knows those that it was forked in. */
export const keeps = (state: () => State, key: string): attachments.Keeps => (attachment) =>
  (state().locals.get(FiberRef.currentContext) ?? []).some(([, services]) =>
    attachments.encloses(attachment, (services as Context.Context<never>).unsafeMap.get(key))
  )

const pushed = (state: State, ref: Ref, attachment: Attachment): Entries =>
  attachments.push(valueOf(state, ref), attachment, keeps(() => state, attachment.definition.key))

const attachAs = (state: State, ref: Ref, attachment: Attachment, id: Id, keepHistory: boolean): State =>
  withValue(state, id, ref, pushed(state, ref, attachment), keepHistory && merges(attachment), (locals) => {
    locals.set(
      FiberRef.currentContext,
      stackOf(locals.get(FiberRef.currentContext), id, addService(state, attachment), keepHistory)
    )
  })

/** A state with a context attached. */
export const attachState = (state: State, ref: Ref, attachment: Attachment): State =>
  attachAs(state, ref, attachment, taskId, false)

const merges = ({ definition: { join } }: Attachment): boolean => join === "merge"

/** The state of code that goes on beside its task, with layers of its own where the task's are linked. */
export const detachState = (state: State): State =>
  edit(state, (set) => {
    for (const [ref, [[, value]]] of state.locals) {
      const detached = own.has(ref) ? (own.get(ref) ?? attachments.detach)(value as Entries) : value
      if (detached !== value) {
        set(ref, [[taskId, detached]])
      }
    }
  })

// -----------------------------------------------------------------------------------------------------------------
// effects
// -----------------------------------------------------------------------------------------------------------------

/** The fiber that runs this code, if one does. */
export const currentFiber = (): AnyFiber | undefined =>
  (globalThis as { ["effect/FiberCurrent"]?: AnyFiber })["effect/FiberCurrent"]

/** Readies the engine's global for readers: one that is there from the start is read several times as fast. */
export const declareCurrentFiber = (): void => {
  Object.assign(globalThis, { ["effect/FiberCurrent"]: currentFiber() })
}

/** An effect of the fiber that runs it. */
export const withFiber = <A, E = never, R = never>(
  f: (fiber: AnyFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.withFiberRuntime(f)

/** Something that the fiber which runs it does at once. */
export const syncWithFiber = <A>(f: (fiber: AnyFiber) => A): Effect.Effect<A> =>
  // one operation, where `withFiber` takes another one for what the function gives
  Effect.sync(() => f(currentFiber()!))

// What a layer does. The finalizer is the scope's own: `Effect.addFinalizer` would run it with the fiber refs of the time
// when it was added, and put those of the region back after it. It is there before there is anything to release, so that
// no interruption comes between.
const withFinalizer = <A extends object, Id>(
  acquire: (fiber: AnyFiber) => A,
  release: (fiber: AnyFiber, acquired: A) => void,
  services: (acquired: A) => Context.Context<Id>
): Effect.Effect<Context.Context<Id>, never, Scope.Scope> =>
  withFiber((fiber) => {
    let acquired: A | undefined
    const finalizer = syncWithFiber((fiber) => acquired && release(fiber, acquired))
    return Effect.map(
      Scope.addFinalizer(serviceOfFiber(fiber, Scope.Scope.key) as Scope.Scope, finalizer),
      () => services(acquired = acquire(fiber))
    )
  })

const leave = (fiber: AnyFiber, ref: Ref, attachment: Attachment, f?: (locals: Locals) => void): void => {
  attachment.closed = true
  writeFiber(fiber, ref, attachments.remove(valueOfFiber(fiber, ref), attachment), merges(attachment), f)
}

/** Annotations that follow a context's entries. */
export interface Mirrored {
  readonly ref: Ref
  readonly key: string
  readonly keys: ReadonlyArray<string> | undefined
  readonly into: "logs" | "spans"
}

interface Mirror extends Mirrored {
  closed: boolean
  // a method, so that a program without such a layer has none of this
  follow(before: State["locals"], locals: Locals, id: Id, written?: object, attached?: Attachment): void
}

const mirrors: FiberRef.FiberRef<ReadonlyArray<Mirror>> = /* @__PURE__ */ globalValue(
  "aiocontext/mirrors",
  () => FiberRef.unsafeMake<ReadonlyArray<Mirror>>([])
)

const visible = (
  locals: State["locals"],
  { key, keys, ref }: Mirrored,
  attachment: Attachment | undefined = (locals.get(FiberRef.currentContext)?.[0][1] as
    | Context.Context<never>
    | undefined)?.unsafeMap.get(key)
): Entries => {
  if (!attachment) {
    return attachments.absent
  }
  const value = (locals.get(ref)?.[0][1] ?? attachments.absent) as Entries
  const entries = attachments.wholeOf(value, attachment) ?? attachments.allEntries(value, attachment)
  return keys ? HashMap.filter(entries, (_, key) => keys.includes(key)) : entries
}

// Equal to itself alone: the fiber that builds the layer hands its annotations on, none too.
const noAnnotations: Entries = /* @__PURE__ */ Object.defineProperty(
  /* @__PURE__ */ attachments.fresh(/* @__PURE__ */ HashMap.empty()),
  Equal.symbol,
  {
    value(this: Entries, that: Equal.Equal) {
      return this === that
    }
  }
)

const replaceEntries = (all: Entries, before: Entries, after: Entries): Entries => {
  const others = all === before ? attachments.absent : HashMap.removeMany(all, HashMap.keys(before))
  const next = HashMap.isEmpty(others) ? after : HashMap.union(others, after)
  return HashMap.isEmpty(next) ? noAnnotations : next
}

/**
 * Brings the annotations that follow a context up to date with what is about to become a state. Every level of the
 * history gets them: a join hands on what differs between two levels, and a child's entries must not reach the
 * annotations of the fiber that joins it.
 */
function follow(
  this: Mirror,
  before: State["locals"],
  locals: Locals,
  id: Id,
  written?: object,
  attached?: Attachment
): void {
  if (written && (written !== this.ref || this.closed)) {
    return
  }
  const target = this.into === "logs" ? FiberRef.currentLogAnnotations : FiberRef.currentTracerSpanAnnotations
  const was = visible(before, this)
  const is = this.closed ? attachments.absent : visible(locals, this, attached)
  const [first, ...rest]: Stack = locals.get(target) ?? [[id, noAnnotations]]
  const replaced = ([id, all]: Stack[0]): Stack[0] => [id, replaceEntries(all as Entries, was, is)]
  locals.set(target, [replaced(first), ...rest.map(replaced)])
}

const renew = (fiber: AnyFiber, mirror: Mirror): void => {
  const open = [...fiber.getFiberRef(mirrors), mirror].filter((mirror) => !mirror.closed)
  writeFiber(
    fiber,
    mirrors,
    open.length === 0 ? internals(mirrors).initial : open,
    true,
    (locals) => mirror.follow(stateOf(fiber).locals, locals, fiber.id())
  )
}

/** A layer under which log lines or spans carry a context's entries. */
export const mirrorLayer = (options: Mirrored): Layer.Layer<never> =>
  Layer.scopedContext(withFinalizer(
    (fiber) => {
      const mirror: Mirror = { ...options, closed: false, follow }
      renew(fiber, mirror)
      return mirror
    },
    (fiber, mirror) => {
      mirror.closed = true
      renew(fiber, mirror)
    },
    Context.empty
  ))

/** A context, to attach. */
export interface Attachable {
  readonly definition: attachments.Definition
  readonly ref: Ref
}

/** Runs an effect with a context attached, and leaves nothing of it behind. `self` is the tag to name. */
export const provideAttachment = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  { definition, ref }: Attachable,
  seed: Entries,
  self: unknown
): Effect.Effect<A, E, R> =>
  // a third of the operations that `acquireUseRelease` takes, which is for releases that are effects
  Effect.uninterruptibleMask((restore) => {
    const fiber = currentFiber()!
    const outer = serviceOfFiber(fiber, definition.key)
    const attachment = attachments.makeAttachment(definition, seed, outer, false, self)
    const state = stateOf(fiber)
    setState(fiber, attachAs(state, ref, attachment, fiber.id(), true))
    return Effect.flatMap(Effect.exit(restore(effect)), (exit) => {
      leave(fiber, ref, attachment, (locals) => {
        put(locals, FiberRef.currentContext, state.locals.get(FiberRef.currentContext))
      })
      return exit
    })
  })

/**
 * A layer that attaches a context, with the entries that an effect gives. Its finalizer only tidies up: nothing is wrong
 * where it does not reach the fiber.
 */
export const layerAttachment = <Id, E, R>(
  tag: Context.Tag<Id, any>,
  { definition, ref }: Attachable,
  entries: Effect.Effect<Entries, E, R>,
  self: unknown
): Layer.Layer<Id, E, R> =>
  Layer.scopedContext(
    Effect.flatMap(entries, (seed) =>
      withFinalizer(
        (fiber) => {
          const outer = serviceOfFiber(fiber, definition.key)
          const attachment = attachments.makeAttachment(definition, seed, outer, true, self)
          writeFiber(fiber, ref, pushed(stateOf(fiber), ref, attachment), true, undefined, attachment)
          return attachment
        },
        (fiber, attachment) => leave(fiber, ref, attachment),
        (attachment) => Context.make(tag, attachment)
      ))
  )

/** Runs an effect with another task-local value, and leaves the former one behind. */
export const locally: <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  local: Local<B>,
  value: B
) => Effect.Effect<A, E, R> = (effect, local, value) => Effect.locally(effect, local, value)

type ResponseHandler = (request: unknown, response: unknown) => Effect.Effect<unknown, unknown, never>

// What `@effect/platform` passes each response through before it sends it, found by the name that it has there: the
// library does not import it.
const responseHandlers = (): FiberRef.FiberRef<Option.Option<ResponseHandler>> =>
  globalValue(
    Symbol.for("@effect/platform/HttpApp/preResponseHandlers"),
    () => FiberRef.unsafeMake<Option.Option<ResponseHandler>>(Option.none())
  )

/**
 * Changes the response of a request: that of the app, or what the server makes of the app's failure. `f` may be called
 * twice. The handler goes when the app succeeds; where it fails it has to outlive it, for the server to find.
 */
export const onResponse = <A, E, R>(app: Effect.Effect<A, E, R>, f: (response: A) => A): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const handlers = responseHandlers()
    return Effect.flatMap(FiberRef.get(handlers), (before) => {
      const handler: ResponseHandler = (request, response) =>
        Effect.map(
          Option.isSome(before) ? before.value(request, response) : Effect.succeed(response),
          (response) => f(response as A)
        )
      return FiberRef.set(handlers, Option.some(handler)).pipe(
        Effect.zipRight(app),
        Effect.map(f),
        Effect.tap(() => FiberRef.set(handlers, before))
      )
    })
  })

/**
 * Starts a fiber as a child of the task with this state; `install` changes the child's. It can be interrupted, wherever
 * the state is from.
 */
export const runFork = <A, E>(
  state: State,
  effect: Effect.Effect<A, E, unknown>,
  install: (state: State) => State = (state) => state
): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    { ...Runtime.defaultRuntime, context: servicesOf(state) as Context.Context<unknown>, fiberRefs: state },
    effect,
    { updateRefs: install }
  )

/** What a promise rejects with where an effect failed. */
export const toError = (cause: Cause.Cause<unknown>): Error => Runtime.makeFiberFailure(cause)

// -----------------------------------------------------------------------------------------------------------------
// the bridge
// -----------------------------------------------------------------------------------------------------------------

/** A fiber whose slice runs now, in its own async context. */
export interface Running {
  readonly fiber: AnyFiber
  /** The fiber's state when promise code last took it. */
  state: State | undefined
  /** The operation in which a user's code registered a callback, and no other code of a user has run since; else 0. */
  registering: number
  /** How many operations the fiber has begun. */
  operation: number
}

/** What a fiber evaluates. */
export type FiberEffect = Effect.Effect<unknown, unknown>

/** What a bridge does when the engine starts, runs and suspends fibers. */
export interface BridgeHooks<R extends Running> {
  running: R | undefined
  /** The state in which the running fiber need not yield before it has done as many operations in a row as `limit`. */
  limited: State | undefined
  limit: number
  /** A layer is about to give a fiber the bridge: the first that is known of it. */
  inherit(fiber: AnyFiber): void
  /** A child is about to start. `parent` is undefined for the root of a run. */
  start(fiber: AnyFiber, parent: AnyFiber | undefined): void
  /** What to schedule so that a task runs in the async context that it belongs to. */
  schedule(task: () => void, fiber: AnyFiber | undefined): () => void
  /** Has a fiber take up an effect, until it next suspends, in its own async context. */
  evaluate(fiber: AnyFiber, effect: FiberEffect): void
  /** A fiber that got the bridge from what another one had, and has not been scheduled since, waits for the first time. */
  suspend(fiber: AnyFiber): void
  /** The running fiber's state is another one than `running.state`. */
  changed(running: R): void
  /** The running fiber is about to let a user's code register a callback. */
  register(running: R): void
  /** The fiber leaves the bridge. */
  leave(fiber: AnyFiber): void
}

/** The hooks of the process: the first copy of the package fills them in, in task.ts. */
export const hooks: BridgeHooks<Running> = /* @__PURE__ */ globalValue(
  "aiocontext/hooks",
  () => ({ limit: 0 }) as never
)

/** One provision of the bridge: in force until its scope is closed. */
interface Bridge extends AnySupervisor {
  readonly outer?: Bridge | undefined
  closed: boolean
}

type AnySupervisor = Supervisor.Supervisor<any>

// A fiber has the bridge as its supervisor, which children inherit: one fiber ref more to copy, and no other. Told by its
// tag: another copy of the package may have made it.
const isBridge = (supervisor: Supervision): supervisor is Bridge => supervisor._tag === "aiocontext/Bridge"

interface Supervision extends AnySupervisor {
  readonly _tag?: unknown
  /** Two supervisors that are zipped. */
  readonly left?: Supervision
  readonly right?: Supervision
}

/** The bridge in a supervisor, if one is in force. */
const bridgeIn = (supervisor: Supervision | undefined): Bridge | undefined =>
  supervisor && (
    isBridge(supervisor)
      ? supervisor.closed ? bridgeIn(supervisor.outer) : supervisor
      : bridgeIn(supervisor.left) ?? bridgeIn(supervisor.right)
  )

const bridgeOf = (fiber: AnyFiber): Bridge | undefined => bridgeIn((fiber as FiberInternals).currentSupervisor)

/** Whether a fiber runs under the bridge. */
export const isBridged = (fiber: AnyFiber): boolean => !!bridgeOf(fiber)

// The rule of Effect's own schedulers, that of `runPromise` too: a fiber yields when it has done as many operations in a row
// as a fiber ref of its says.
const limiting = /* @__PURE__ */ (() => [
  Scheduler.MixedScheduler.prototype.shouldYield,
  Scheduler.SyncScheduler.prototype.shouldYield,
  Scheduler.defaultShouldYield
])()

class BridgedScheduler implements Scheduler.Scheduler {
  constructor(readonly inner: Scheduler.Scheduler) {}

  // Runs before every operation. Effect's schedulers look up the fiber's limit each time, which is the same for as long as
  // the state is.
  shouldYield(fiber: AnyFiber): number | false {
    return stateOf(fiber) === hooks.limited && fiber.currentOpCount < hooks.limit ? false : mustYield(this.inner, fiber)
  }

  scheduleTask(task: Scheduler.Task, priority: number, fiber?: AnyFiber): void {
    this.inner.scheduleTask(hooks.schedule(task, fiber), priority, fiber)
  }
}

const mustYield = (inner: Scheduler.Scheduler, fiber: AnyFiber): number | false => {
  const { running } = hooks
  if (running?.fiber === fiber) {
    // A yield changes fiber refs, which would end the task of the code that has just been registered. Between that and the
    // wait for it, Effect has a few operations for the interruption. Not more: a loop of suspended effects looks the same,
    // and must yield.
    if (running.registering && running.operation - running.registering < 16) {
      return false
    }
    if (limiting.includes(inner.shouldYield)) {
      hooks.limited = stateOf(fiber)
      hooks.limit = fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield)
    }
  } else if (
    RuntimeFlags.cooperativeYielding((fiber as FiberInternals).currentRuntimeFlags) && isBridged(fiber)
  ) {
    // A fiber that runs outside its own async context (in a region that has just got the bridge) is sent through the
    // scheduler once, before it runs anything.
    return fiber.getFiberRef(FiberRef.currentSchedulingPriority)
  }
  return inner.shouldYield(fiber)
}

// one a process: a copy of the package knows what another one has wrapped
const wrappedSchedulers = /* @__PURE__ */ globalValue(
  "aiocontext/schedulers",
  () => new WeakMap<Scheduler.Scheduler, Scheduler.Scheduler>()
)

/** Has a fiber take up an effect, in the async context of the caller. */
export const evaluate = (fiber: AnyFiber, effect: FiberEffect): void =>
  classOf(fiber).evaluateEffect.call(fiber, effect)

// What a fiber under the bridge does in another way than its class: one a process, to be told by identity.
const overrides = /* @__PURE__ */ globalValue("aiocontext/bridged", () => ({
  // Whoever wakes a fiber, or starts it, has it evaluate effects.
  evaluateEffect(this: FiberInternals, effect: FiberEffect): void {
    hooks.evaluate(this, effect)
  },

  // A fiber keeps what its state says where it reads it each time. Under the bridge its scheduler is the one of its state,
  // wrapped, whatever a region sets.
  refreshRefCache(this: FiberInternals): void {
    classOf(this).refreshRefCache.call(this)
    if (isBridged(this)) {
      const scheduler = this.currentScheduler
      let wrapped = wrappedSchedulers.get(scheduler)
      if (!wrapped) {
        wrapped = new BridgedScheduler(scheduler)
        wrappedSchedulers.set(scheduler, wrapped).set(wrapped, wrapped)
      }
      this.currentScheduler = wrapped
    }
  }
}))

const classOf = (fiber: AnyFiber): FiberInternals => Object.getPrototypeOf(fiber)

// in an expression that a bundler may drop
const BridgeSupervisor = /* @__PURE__ */ (() =>
  class BridgeSupervisor extends Supervisor.AbstractSupervisor<void> {
    override readonly value: Effect.Effect<void> = Effect.void
    readonly _tag = "aiocontext/Bridge"
    closed = false
    constructor(readonly outer?: Bridge | undefined) {
      super()
    }

    override onStart<A, E, R>(
      _context: Context.Context<R>,
      _effect: Effect.Effect<A, E, R>,
      parent: Option.Option<AnyFiber>,
      fiber: Fiber.RuntimeFiber<A, E>
    ): void {
      if (keepBridged(fiber)) {
        forgetParent(fiber)
        hooks.start(fiber, Option.getOrUndefined(parent))
      }
    }

    override onSuspend(fiber: AnyFiber): void {
      if (hooks.running?.fiber !== fiber && keepBridged(fiber)) {
        hooks.suspend(fiber)
      }
    }

    // runs before every operation of every fiber under the bridge
    override onEffect(fiber: AnyFiber, effect: Effect.Effect<any, any, any>): void {
      const { running } = hooks
      if (running?.fiber !== fiber) {
        keepBridged(fiber)
        return
      }
      running.operation++
      if (running.state !== stateOf(fiber)) {
        if (!keepBridged(fiber)) {
          return
        }
        hooks.changed(running)
      }
      const operation = (effect as unknown as { readonly _op: string })._op
      if (operation === "Commit" || operation === "Async") {
        hooks.register(running)
      } else if (running.registering && !arranges(operation)) {
        running.registering = 0
      }
    }
  })()

// Operations that only arrange what comes next: no code of a user has run when the next one begins.
const arranges = (operation: string): boolean => /^(On|Update|With)/.test(operation)

const none = /* @__PURE__ */ (() => internals<AnySupervisor>(FiberRef.currentSupervisor).initial)()

/** Two supervisors as one: `whole`, where those are its parts. */
const zip = (left: AnySupervisor, right: AnySupervisor, whole?: Supervision): AnySupervisor =>
  left === none
    ? right
    : right === none
    ? left
    : left === whole?.left && right === whole.right
    ? whole
    : left.zip(right)

/** The supervisors that are none of ours. */
const othersIn = (supervisor: Supervision): AnySupervisor => {
  const { left, right } = supervisor
  if (!left || !right) {
    return isBridge(supervisor) ? none : supervisor
  }
  return zip(othersIn(left), othersIn(right), supervisor)
}

// Effect keeps supervisors in a fiber ref that is one a copy of Effect, and a process may have two: a CommonJS program
// that requires `effect` runs fibers of another copy than this module imports.
const supervisorRefs: Set<FiberRef.FiberRef<AnySupervisor>> =
  /* @__PURE__ */ (() =>
    globalValue("aiocontext/supervisors", () => new Set<FiberRef.FiberRef<AnySupervisor>>())
      .add(FiberRef.currentSupervisor))()

// a fiber's class names the ref when it reads its refs from something that gives the refs themselves
const learnSupervisorRef = (fiber: AnyFiber): void => {
  const reader: { readonly currentSupervisor?: { readonly ref: FiberRef.FiberRef<AnySupervisor> } } = {
    getFiberRef: (ref: unknown) => ({ ref, unsafeMap: new Map() })
  } as {}
  classOf(fiber).refreshRefCache.call(reader)
  supervisorRefs.add(reader.currentSupervisor!.ref)
}

/** A state with a bridge, in place of another one or of none. */
const bridgeState = (state: State, id: FiberId.Runtime, bridge: Bridge | undefined): State =>
  edit(state, (set) => {
    for (const ref of supervisorRefs) {
      const current = valueOf(state, ref)
      const supervisor = zip(othersIn(current), bridge ?? none)
      if (supervisor !== current) {
        set(ref, supervisor === none ? undefined : stackOf(state.locals.get(ref), id, supervisor, true))
      }
    }
  })

/** A state whose fibers run under the bridge. */
export const withBridge = (state: State): State =>
  bridgeIn(valueOf(state, FiberRef.currentSupervisor)) ? state : bridgeState(state, taskId, new BridgeSupervisor())

/**
 * Sees to it that a fiber which has the bridge is scheduled and watched by it, whatever it was started with; takes it
 * off a fiber whose bridge is closed. Tells whether the fiber has it.
 */
export const keepBridged = (fiber: AnyFiber): boolean => {
  if (!isBridged(fiber)) {
    dropBridge(fiber)
    return false
  }
  const flagged = fiber as FiberInternals
  if (flagged.refreshRefCache !== overrides.refreshRefCache) {
    flagged.evaluateEffect = overrides.evaluateEffect
    flagged.refreshRefCache = overrides.refreshRefCache
    flagged.refreshRefCache()
  }
  flagged.currentRuntimeFlags = RuntimeFlags.enable(flagged.currentRuntimeFlags, RuntimeFlags.OpSupervision)
  return true
}

const dropBridge = (fiber: AnyFiber): void => {
  const outer = bridgeOf(fiber)
  const state = bridgeState(stateOf(fiber), fiber.id(), outer)
  if (state === stateOf(fiber)) {
    return
  }
  if (!outer) {
    const flagged = fiber as FiberInternals
    flagged.evaluateEffect = classOf(fiber).evaluateEffect
    flagged.refreshRefCache = classOf(fiber).refreshRefCache
    flagged.currentRuntimeFlags = RuntimeFlags.disable(flagged.currentRuntimeFlags, RuntimeFlags.OpSupervision)
    hooks.leave(fiber)
  }
  setState(fiber, state)
}

/**
 * A layer with the bridge in it. It takes note of the fiber before the building of layers first suspends it, which is
 * while the code that started the fiber still waits. The hooks are handed in, so that who bundles the layer bundles the
 * module that fills them in.
 */
export const approachLayer = <A, E, R>(
  hooks: Pick<BridgeHooks<never>, "inherit">,
  layer: Layer.Layer<A, E, R>
): Layer.Layer<A, E, R> =>
  Layer.suspend(() => {
    hooks.inherit(currentFiber()!)
    return layer
  })

/** The bridge as a layer. Its finalizer makes it inert; a fiber that still has it then drops it when it next runs. */
export const bridgeLayer = (hooks: Pick<BridgeHooks<never>, "inherit">): Layer.Layer<never> =>
  approachLayer(
    hooks,
    Layer.scopedContext(withFinalizer(
      (fiber) => {
        learnSupervisorRef(fiber)
        const bridge = new BridgeSupervisor(bridgeOf(fiber))
        setState(fiber, bridgeState(stateOf(fiber), fiber.id(), bridge))
        keepBridged(fiber)
        return bridge
      },
      (fiber, bridge) => {
        bridge.closed = true
        dropBridge(fiber)
      },
      Context.empty
    ))
  )

/** The memo map of the layer that is being built where a fiber starts, if one is. */
export const buildingLayer = (fiber: AnyFiber): unknown => serviceOfFiber(fiber, Layer.CurrentMemoMap.key)

/** Whether a parent waits for this child when it ends, once it goes on: not so for daemons and for what a scope keeps. */
export const isChildOf = (fiber: AnyFiber, parent: AnyFiber): boolean =>
  (parent as FiberInternals).getChildren().has(fiber)

/** Whether a task is the fiber itself, taking up its work. */
export const isFiberRun = (fiber: AnyFiber | undefined, task: () => void): boolean =>
  (fiber as FiberInternals | undefined)?.run === task

/** Whether a fiber has ended. */
export const isDone = (fiber: AnyFiber): boolean => fiber.unsafePoll() !== null
