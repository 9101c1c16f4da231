/**
 * Tasks: what imperative code runs in.
 *
 * A task is a fiber, or a promise task: a state of its own that follows the async context. Promise code that a fiber
 * starts gets a promise task that is **live** while the fiber waits for that very code: it reads and writes the fiber.
 * Once the fiber goes on, the task is left over: it keeps the state of that moment, and what it sets stays its own.
 */
import * as async from "#async"
import * as HashMap from "effect/HashMap"
import { BridgeError, NoTaskError } from "../errors.js"
import type { AsyncContext, Storage } from "./async.js"
import * as bags from "./bag.js"
import * as engine from "./engine.js"
import { globalValue } from "./global.js"
import type { Access } from "./spec.js"

/** A promise task. */
export class Task {
  /** The operation of the fiber of `origin` that started this code: for as long as it runs, the code is the fiber's. */
  operation: number | undefined
  /** What the code has read, until it writes. */
  reading: Reading | undefined

  constructor(
    private made: engine.State | (() => engine.State),
    /** The fiber that waits for this code, while it does. */
    public fiber?: engine.AnyFiber | undefined,
    /** Where the state is from, while it is shared with a fiber: before it writes, left-over code parts with it. */
    public origin?: Origin | undefined
  ) {}

  // made when somebody asks for it: most tasks read and write one context, and hand their state on to nobody
  get state(): engine.State {
    const { reading } = this
    if (reading?.flush) {
      const { flush, index } = reading
      reading.flush = undefined
      flush(this, index!)
      this.reading = reading
    }
    return typeof this.made === "function" ? this.made = this.made() : this.made
  }

  set state(state: engine.State) {
    this.made = state
    this.reading = undefined
  }
}

/** Gives the map of a task the entries of its index. */
type Flush = (task: Task, index: bags.Bag) => void

/** What a task's code has read of a context: once it has paid for it, the reads that follow are those of an object. */
interface Reading {
  readonly ref: engine.Ref
  /** The state that the map is from, where it is a fiber's. */
  readonly state: engine.State | undefined
  reads: number
  index: bags.Bag | undefined
  /** Hands on what only the index has: then the index is the task's alone. */
  flush: Flush | undefined
}

interface Origin {
  task: Task | undefined
  state: engine.State | undefined
}

const nowhere: Origin = { task: undefined, state: undefined }

/** A part of a task: code in which some locals have values of their own. All else it shares with the task. See local.ts. */
export interface Part {
  readonly whole: Task
  /** The same part of what the task goes on as. */
  of(task: Task): Part
}

/** A fiber, as a place: the fiber itself has the state. */
export interface FiberPlace {
  readonly fiber: engine.AnyFiber
  readonly origin?: undefined
}

/** A task, promise code's or a fiber's. */
export type Whole = Task | FiberPlace

/** What runs imperative code. */
export type Place = Whole | Part

/** A fiber under the bridge, with the async context that it runs in. */
class BridgedFiber implements engine.Running, Origin, FiberPlace {
  state: engine.State | undefined
  registering = 0
  /** The promise task of the code that the fiber runs now. */
  task: Task | undefined
  operation = 0
  /** The parent of a fiber that was started while a layer was being built, until it is known whether it does that too. */
  builder: engine.AnyFiber | undefined
  /** What has built the layer that the fiber, or one that it descends from, was started by. */
  built: unknown
  constructor(readonly fiber: engine.AnyFiber, public context: AsyncContext) {}
}

// On the fiber itself: with a `WeakMap` the collector would spend more on a short fiber than the bridge does.
const BridgedId: unique symbol = Symbol.for("aiocontext/fiber")

interface Holder {
  [BridgedId]?: BridgedFiber | undefined
}

const bridgedOf = (fiber: engine.AnyFiber): BridgedFiber | undefined => (fiber as Holder)[BridgedId]

const setBridged = (fiber: engine.AnyFiber, bridged: BridgedFiber | undefined): void => {
  ;(fiber as Holder)[BridgedId] = bridged
}

interface Shared {
  readonly storage: Storage<Task | Part>
  /** What is set outside every task, for the tasks that start there. */
  readonly program: Task
  /** The fiber that called, synchronously, what made a promise task current. */
  host?: engine.AnyFiber | undefined
  /** What task-local values have to do, where the program has any. */
  locals?: LocalHooks
}

/** What task-local values do when tasks start and end. */
export interface LocalHooks {
  /** The state of a task that is about to start a child. */
  stateOf(place: Place): engine.State
  /** A fiber is about to start a child. */
  start(child: engine.AnyFiber, parent: engine.AnyFiber): void
  /** A fiber has no parent, or none under the bridge: it has what the code that starts it has. */
  inherit(fiber: engine.AnyFiber): void
  /** A fiber belongs to the program alone. */
  disown(fiber: engine.AnyFiber): void
  end(fiber: engine.AnyFiber): void
}

// One a process: two copies of the package, or an ESM and a CommonJS one, follow the same tasks.
export const shared: Shared = /* @__PURE__ */ globalValue("aiocontext/tasks", () => {
  engine.declareCurrentFiber()
  return {
    storage: async.makeStorage<Task | Part>(),
    program: new Task(engine.emptyState)
  }
})

/** What the library does when the engine starts, runs and suspends fibers. */
type Hooks = engine.BridgeHooks<BridgedFiber>

// -----------------------------------------------------------------------------------------------------------------
// the running task
// -----------------------------------------------------------------------------------------------------------------

/** Whether a task's code is that of the operation which a fiber runs. */
export const isOf = (running: BridgedFiber, task: Task | Part | undefined): boolean =>
  !task || task === running.task ||
  ((task as Task).origin === running && (task as Task).operation === running.operation)

/** The task that runs this code: the program itself outside every task, and none for a fiber outside the bridge. */
export const locate = (): Place | undefined => {
  const fiber = engine.currentFiber()
  const task = shared.storage.getStore()
  if (!fiber) {
    return task ?? shared.program
  }
  const { running } = hooks
  if (running?.fiber === fiber) {
    return isOf(running, task) ? running : task!
  }
  if (task && shared.host === fiber) {
    return task
  }
  return engine.isBridged(fiber) ? { fiber } : undefined
}

/** Whether this is code outside every task. */
export const isOutside = (): boolean => {
  const place = locate()
  return ((place as Part | undefined)?.whole ?? place) === shared.program
}

/** The task that runs this code, or the program itself outside every task. Throws in a fiber outside the bridge. */
export const currentOrProgram = (operation: string): Place => {
  const place = locate()
  if (!place) {
    throw new BridgeError({ operation })
  }
  return place
}

/** The task that runs this code. Throws where none does. */
export const currentOrThrow = (operation: string): Place => {
  const place = currentOrProgram(operation)
  if (((place as Part).whole ?? place) === shared.program) {
    throw new NoTaskError({
      operation,
      advice: `no task is running here. Start one with context.run({ … }, fn)${
        async.follows
          ? ", or provide the bridge to the fiber that started this code, which else loses its task at the first await:" +
            " Effect.provide(program, compat.layer)."
          : ". In a browser promise code loses its task at the first await: const inTask = compat.snapshot() before it," +
            " inTask(fn) after it."
      }`
    })
  }
  return place
}

/** The state of a child of what runs this code: outside every task, of a task that has what the program has. */
export const childState = (): engine.State => {
  const place = locate()
  return place ? engine.forkState(stateOf(place)) : engine.emptyState
}

/** Runs code in a promise task. */
export const runIn = <A>(task: Task | Part, f: () => A): A => {
  const host = shared.host
  shared.host = engine.currentFiber()
  try {
    return shared.storage.run(task, f)
  } finally {
    shared.host = host
  }
}

/** The task that a part is of: the fiber while it runs this code, as for the fiber's own lines. */
export const wholeOf = (place: Place): Whole => {
  const { whole } = place as Part
  if (!whole) {
    return place as Whole
  }
  const { running } = hooks
  return running && running.fiber === engine.currentFiber() && isOf(running, whole) ? running : whole
}

/** The promise task of a place's code. `lasting` is for code that may run when the fiber has gone on. */
export const taskOf = (place: Place, lasting: boolean): Task => {
  const task = wholeOf(place)
  const { fiber } = task
  if (!fiber || task.origin) {
    return task as Task
  }
  const { running } = hooks
  if (running?.fiber !== fiber) {
    return new Task(engine.stateOf(fiber), undefined, nowhere)
  }
  if (running.task && (running.registering || !lasting)) {
    return running.task
  }
  const captured = new Task(engine.stateOf(fiber), undefined, running)
  captured.operation = running.operation
  return captured
}

/** What `bind` and `snapshot` take: the promise task of the running code. */
export const capture = (place: Place): Task | Part => {
  const captured = taskOf(place, true)
  return (place as Part).of?.(captured) ?? captured
}

/** A promise task of its own, with a given state; a function makes the state when it is asked for. */
export const make = (state: engine.State | (() => engine.State)): Task => new Task(state)

/** A context that a task can be started in: it gives itself to the task's state. */
export interface TaskContext {
  /** @internal */
  readonly "~aiocontext/install": (state: engine.State) => engine.State
}

/** A child of a task; `install` changes what it starts with. */
export const fork = (place: Place, install: (state: engine.State) => engine.State = (state) => state): Task =>
  make(install(engine.forkState(stateOf(place))))

/** A child of the running task; a task of its own where none is known. */
export const start = (): Task => make(childState())

// -----------------------------------------------------------------------------------------------------------------
// reading and writing
// -----------------------------------------------------------------------------------------------------------------

/** The state of a task. */
export const stateNow = (task: Whole): engine.State => task.fiber ? engine.stateOf(task.fiber) : (task as Task).state

/** The state of a task, for a child to start from. */
export const stateOf = (place: Place): engine.State => shared.locals?.stateOf(place) ?? stateNow(wholeOf(place))

/** The service of a tag in a task, if it is there. */
export const serviceOf = (place: Place, key: string): unknown => {
  const task = wholeOf(place)
  return task.fiber ? engine.serviceOfFiber(task.fiber, key) : engine.serviceOf((task as Task).state, key)
}

/** The value of a fiber ref in a task. */
export const valueOf = <A>(place: Place, ref: engine.Local<A>): A => engine.valueOf(stateNow(wholeOf(place)), ref)

// on the way to a key's value things are compared with `undefined`: asked what is truthy, V8 takes a fifth longer in all
const fiberStateOf = (task: Task): engine.State | undefined =>
  task.fiber === undefined ? undefined : engine.stateOf(task.fiber)

/** The entries of a context in a promise task, where its code has read them often enough, or was started with them. */
export const indexOf = (place: Place, ref: engine.Ref): bags.Bag | undefined => {
  // none but a task has one
  const { reading } = place as Task
  return reading !== undefined && reading.ref === ref && reading.state === fiberStateOf(place as Task)
    ? reading.index
    : undefined
}

/** The same for the running code, where it is a promise task's: the shortest way from a key to its value. */
export const currentIndex = (ref: engine.Ref): bags.Bag | undefined => {
  const task = shared.storage.getStore()
  return task !== undefined && engine.currentFiber() === undefined ? indexOf(task, ref) : undefined
}

/**
 * Sets an entry in the index of the running code's promise task, if it has one and the task is no fiber's. For now there
 * alone: a write of the state costs more than most tasks do with it.
 */
export const setIndexed = (ref: engine.Ref, key: string, value: unknown, flush: Flush): boolean => {
  const task = shared.storage.getStore()
  if (
    task instanceof Task && !task.fiber && !task.origin &&
    !engine.currentFiber() && indexOf(task, ref)
  ) {
    const reading = task.reading!
    if (!reading.flush) {
      reading.flush = flush
      reading.index = bags.fromObject(reading.index!)
    }
    ;(reading.index as { [key: string]: unknown })[key] = value
    return true
  }
  return false
}

/** Gives a promise task the index of the entries that it starts with; where there is none, counts its first read. */
export const startReading = (task: Task, ref: engine.Ref, index?: bags.Bag): void => {
  task.reading = { ref, state: fiberStateOf(task), reads: 1, index, flush: undefined }
}

/** Counts a read. One for each entry, and an index costs no more than the reads before it did. */
export const countRead = (place: Place, ref: engine.Ref, entries: HashMap.HashMap<string, unknown>): void => {
  if (place instanceof Task) {
    const { reading } = place
    if (!reading || reading.ref !== ref || reading.state !== fiberStateOf(place)) {
      startReading(place, ref)
    } else if (++reading.reads > HashMap.size(entries)) {
      reading.index = bags.fromObject(Object.fromEntries(entries))
    }
  }
}

/** Where left-over code is from: code of a fiber that has gone on, and not yet parted from it. */
const leftOverFrom = (task: Whole): Origin | undefined => task.fiber ? undefined : task.origin

/** Whether this is left-over code. */
export const isLeftOver = (place: Place): boolean => !!leftOverFrom(wholeOf(place))

/** Parts left-over code from the fiber that it comes from, before it writes. */
export const settle = (place: Place): void => {
  const task = wholeOf(place) as Task
  const origin = leftOverFrom(task)
  if (origin) {
    task.origin = undefined
    task.state = engine.detachState(task.state)
    if (origin.task === task) {
      // the fiber's next lines must not start code in a task that is no longer the fiber's
      origin.state = undefined
    }
  }
}

/** Writes a fiber ref in a task. Left-over code must be settled first. */
export const write = <A>(place: Place, ref: engine.Local<A>, value: A, keepHistory: boolean): void => {
  const task = wholeOf(place)
  if (!task.fiber) {
    ;(task as Task).state = engine.writeState(stateNow(task), ref, value)
  } else {
    engine.writeFiber(task.fiber, ref, value, keepHistory)
    wrote(task.fiber, place)
  }
}

/** How promise code's places have the values of fiber refs. */
export const places: Access<Place> = { stateOf, valueOf, write }

/** Replaces the state of a task. */
export const replace = (place: Place, state: engine.State): void => {
  const task = wholeOf(place)
  if (!task.fiber) {
    ;(task as Task).state = state
  } else {
    engine.setState(task.fiber, state)
    wrote(task.fiber, place)
  }
}

const wrote = (fiber: engine.AnyFiber, place: Place): void => {
  const { running } = hooks
  if (running?.fiber === fiber) {
    if (running.registering) {
      running.state = engine.stateOf(fiber)
    } else if (running.task) {
      // what this very code starts from here on sees the write; what it started before does not
      running.task.operation = running.operation
      renew(running, false)
      running.state = undefined
      const part = (place as Part).of?.(running.task)
      if (part) {
        shared.storage.enterWith(part)
      }
    }
  }
}

// -----------------------------------------------------------------------------------------------------------------
// the bridge
// -----------------------------------------------------------------------------------------------------------------

/** Ends the task that the fiber's code has had, with the state of that moment: by default this one. */
const end = (fiber: BridgedFiber, state = engine.stateOf(fiber.fiber)): void => {
  const { task } = fiber
  if (task?.fiber) {
    task.state = state
    task.fiber = undefined
  }
}

/** Gives the code that the fiber runs from here on another task, which is live where the fiber waits for the code. */
const renew = (fiber: BridgedFiber, waits: boolean): void => {
  if (fiber.state) {
    end(fiber, fiber.state)
  }
  fiber.state = engine.stateOf(fiber.fiber)
  fiber.task = new Task(fiber.state, waits ? fiber.fiber : undefined, fiber)
  shared.storage.enterWith(fiber.task)
}

const slice = (state: BridgedFiber, effect: engine.FiberEffect): void => {
  const { fiber } = state
  try {
    engine.evaluate(fiber, effect)
  } finally {
    if (engine.isDone(fiber)) {
      forget(fiber)
      shared.locals?.end(fiber)
    } else {
      if (!state.registering) {
        end(state)
      }
      if (!async.keepsWrites) {
        state.context = async.capture()
      }
    }
  }
}

/** What a fiber has from the code that started it: once for all, wherever it enters a bridge again. */
const inherit = (fiber: engine.AnyFiber): void => {
  if (!(BridgedId in fiber)) {
    setBridged(fiber, undefined)
    shared.locals?.inherit(fiber)
  }
}

const bridged = (fiber: engine.AnyFiber): BridgedFiber => {
  let state = bridgedOf(fiber)
  if (!state) {
    inherit(fiber)
    state = new BridgedFiber(fiber, async.capture())
    setBridged(fiber, state)
  }
  return state
}

const forget = (fiber: engine.AnyFiber): void => {
  const state = bridgedOf(fiber)
  if (state) {
    end(state)
    state.task = undefined
    setBridged(fiber, undefined)
  }
}

// All state that they work on is one a process, and so are they: those of the first copy of the package.
/** The bridge's hooks into the engine. */
export const hooks: Hooks = /* @__PURE__ */ globalValue(
  "aiocontext/bridge",
  () =>
    Object.assign(
      engine.hooks as Hooks,
      {
        inherit,
        start(fiber, parent) {
          const holder = parent && bridgedOf(parent)
          const memoMap = engine.buildingLayer(fiber)
          const builds = !!parent && !!memoMap && memoMap !== holder?.built
          if (!parent) {
            inherit(fiber)
          } else if (!builds) {
            // what a layer's building starts must not make one task of all that the layer's runtime runs later
            shared.locals?.start(fiber, parent)
            if (!holder) {
              return
            }
          }
          const state = new BridgedFiber(
            fiber,
            !holder || hooks.running === holder
              ? async.capture()
              : holder.context.runInAsyncScope(async.capture)
          )
          if (builds) {
            state.builder = parent
          } else {
            state.built = memoMap
          }
          setBridged(fiber, state)
        },
        schedule(task, fiber) {
          if (engine.isFiberRun(fiber, task)) {
            return task
          }
          const state = fiber && bridgedOf(fiber)
          if (state) {
            // what is first done on a fiber's behalf is not its own run: an operation waits for it, as `Effect.all` does
            state.builder = undefined
          }
          const context = async.capture()
          return () => context.runInAsyncScope(task)
        },
        evaluate(fiber, effect) {
          if (!engine.keepBridged(fiber)) {
            engine.evaluate(fiber, effect)
            return
          }
          const state = bridged(fiber)
          if (state.builder) {
            // a fiber that a layer starts and that outlives its building belongs to no request
            if (!engine.isChildOf(fiber, state.builder)) {
              state.built = engine.buildingLayer(fiber)
              state.context = async.root.runInAsyncScope(async.capture)
              shared.locals?.disown(fiber)
            }
            state.builder = undefined
          }
          const before = hooks.running
          state.registering = 0
          end(state)
          hooks.running = state
          hooks.limited = undefined
          try {
            state.context.runInAsyncScope(slice, undefined, state, effect)
          } finally {
            hooks.running = before
            hooks.limited = undefined
          }
        },
        suspend: bridged,
        changed(running) {
          // not what the registering code wrote, which is known already: the fiber has gone on
          running.registering = 0
          renew(running, false)
        },
        register(running) {
          if (!running.registering) {
            renew(running, true)
            running.registering = running.operation
          }
        },
        leave(fiber) {
          forget(fiber)
          if (hooks.running?.fiber === fiber) {
            hooks.running = undefined
            shared.storage.enterWith(undefined)
          }
        }
      } satisfies Omit<Hooks, "running" | "limited" | "limit">
    )
)
