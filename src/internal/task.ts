/**
 * Tasks: what imperative code runs in.
 *
 * A task is a fiber, or a promise task: a state of its own that follows the async context. Promise code that a fiber
 * starts gets a promise task that is **live** while the fiber waits for that very code: it reads and writes the fiber.
 * Once the fiber goes on, the task is left over: it keeps the state of that moment, and what it sets stays its own.
 */
import * as async from "#async"
import { globalValue } from "effect/GlobalValue"
import * as HashMap from "effect/HashMap"
import { BridgeError, NoTaskError } from "../errors.js"
import type { AsyncContext, Storage } from "./async.js"
import * as engine from "./engine.js"

/** A promise task. */
export class Task {
  /** The fiber that waits for this code, while it does. */
  fiber: engine.AnyFiber | undefined
  /** Where the state is from, while it is shared with a fiber: before it writes, left-over code parts with it. */
  origin: Origin | undefined
  /** What the code has read, until it writes. */
  reading: Reading | undefined = undefined
  private base: engine.State | (() => engine.State)
  /** A write that the base does not have yet. */
  private written: { readonly ref: engine.Local<any>; readonly value: unknown } | undefined = undefined

  constructor(
    state: engine.State | (() => engine.State),
    fiber: engine.AnyFiber | undefined,
    origin: Origin | undefined
  ) {
    this.base = state
    this.fiber = fiber
    this.origin = origin
  }

  private get unwritten(): engine.State {
    if (typeof this.base === "function") {
      this.base = this.base()
    }
    return this.base
  }

  // made when somebody asks for it: most tasks read and write one context, and hand their state on to nobody
  get state(): engine.State {
    const { written } = this
    if (written !== undefined) {
      this.base = engine.writeState(this.unwritten, written.ref, written.value)
      this.written = undefined
    }
    return this.unwritten
  }

  set state(state: engine.State) {
    this.base = state
    this.written = undefined
    this.reading = undefined
  }

  service(key: string): unknown {
    return engine.serviceOf(this.unwritten, key)
  }

  value<A>(ref: engine.Local<A>): A {
    return this.written?.ref === ref ? this.written.value as A : engine.valueOf(this.unwritten, ref)
  }

  write<A>(ref: engine.Local<A>, value: A): void {
    if (this.written !== undefined && this.written.ref !== ref) {
      this.base = this.state
    }
    this.written = { ref, value }
    this.reading = undefined
  }
}

/** What a task's code has read of a context: once it has paid for it, the reads that follow are those of a `Map`. */
interface Reading {
  readonly ref: engine.Ref
  /** The state that the map is from, where it is a fiber's. */
  readonly state: engine.State | undefined
  reads: number
  index: ReadonlyMap<string, unknown> | undefined
}

interface Origin {
  task: Task | undefined
  state: engine.State | undefined
}

const nowhere: Origin = { task: undefined, state: undefined }

/** What runs imperative code. */
export type Place = Task | engine.AnyFiber

/** A fiber under the bridge, with the async context that it runs in. */
class BridgedFiber implements engine.Running, Origin {
  state: engine.State | undefined = undefined
  registering = false
  /** The promise task of the code that the fiber runs now. */
  task: Task | undefined = undefined
  /** Tasks that the running operation's own writes put an end to: for that operation's code they are the fiber. */
  ended: Array<Task> | undefined = undefined
  /** The memo map of the layer that was being built when the fiber started. */
  building: unknown = undefined
  /** The parent of a fiber that a layer starts, until it is known whether the fiber outlives the layer's building. */
  builder: engine.AnyFiber | undefined = undefined
  run: (() => void) | undefined = undefined
  scheduled: (() => void) | undefined = undefined
  constructor(readonly fiber: engine.AnyFiber, public context: AsyncContext) {}
}

// On the fiber itself: with a `WeakMap` the collector would spend more on a short fiber than the bridge does.
const BridgedId: unique symbol = Symbol.for("aiocontext/BridgedFiber")

interface Holder {
  [BridgedId]?: BridgedFiber | undefined
}

const bridgedOf = (fiber: engine.AnyFiber): BridgedFiber | undefined => (fiber as Holder)[BridgedId]

const setBridged = (fiber: engine.AnyFiber, bridged: BridgedFiber | undefined): void => {
  ;(fiber as Holder)[BridgedId] = bridged
}

interface Shared {
  readonly storage: Storage<Task>
  /** The fiber that called, synchronously, what made a promise task current. */
  host: engine.AnyFiber | undefined
  hooks: engine.BridgeHooks & { running: BridgedFiber | undefined }
}

// One a process: two copies of the package, or an ESM and a CommonJS one, follow the same tasks.
const shared: Shared = globalValue("aiocontext/tasks", () => ({
  storage: async.makeStorage<Task>(),
  host: undefined,
  hooks: makeHooks()
}))

// -----------------------------------------------------------------------------------------------------------------
// the running task
// -----------------------------------------------------------------------------------------------------------------

/** The task that runs this code: `undefined` where none does, `"unbridged"` for a fiber outside the bridge. */
export const current = (): Place | "unbridged" | undefined => {
  const fiber = engine.currentFiber()
  const task = shared.storage.getStore()
  if (fiber === undefined) {
    return task
  }
  const { running } = shared.hooks
  if (running !== undefined && running.fiber === fiber) {
    return task === undefined || task === running.task || running.ended?.includes(task) === true ? fiber : task
  }
  if (task !== undefined && shared.host === fiber) {
    return task
  }
  return engine.isBridged(fiber) ? fiber : "unbridged"
}

/** The task that runs this code. Throws where none does. */
export const currentOrThrow = (operation: string): Place => {
  const place = current()
  if (place === undefined) {
    throw new NoTaskError({ operation })
  }
  if (place === "unbridged") {
    throw new BridgeError({ operation })
  }
  return place
}

/** Runs code in a promise task. */
export const runIn = <A>(task: Task, f: () => A): A => {
  const host = shared.host
  shared.host = engine.currentFiber()
  try {
    return shared.storage.run(task, f)
  } finally {
    shared.host = host
  }
}

/** What `bind` and `snapshot` take: the promise task of the running code. */
export const capture = (place: Place): Task => {
  if (place instanceof Task) {
    return place
  }
  const { running } = shared.hooks
  return running !== undefined && running.fiber === place && running.registering && running.task !== undefined
    ? running.task
    : new Task(engine.stateOf(place), undefined, nowhere)
}

/** A promise task of its own, with a given state; a function makes the state when it is asked for. */
export const make = (state: engine.State | (() => engine.State)): Task => new Task(state, undefined, undefined)

/** A child of a task. */
export const fork = (place: Place): Task => make(engine.forkState(stateOf(place)))

// -----------------------------------------------------------------------------------------------------------------
// reading and writing
// -----------------------------------------------------------------------------------------------------------------

const fiberOf = (place: Place): engine.AnyFiber | undefined => place instanceof Task ? place.fiber : place

/** The state of a task. */
export const stateOf = (place: Place): engine.State =>
  place instanceof Task
    ? place.fiber === undefined ? place.state : engine.stateOf(place.fiber)
    : engine.stateOf(place)

/** The service of a tag in a task, if it is there. */
export const serviceOf = (place: Place, key: string): unknown => {
  const fiber = fiberOf(place)
  return fiber === undefined ? (place as Task).service(key) : engine.serviceOfFiber(fiber, key)
}

/** A task-local value, in a task. */
export const valueOf = <A>(place: Place, ref: engine.Local<A>): A => {
  const fiber = fiberOf(place)
  return fiber === undefined ? (place as Task).value(ref) : engine.valueOfFiber(fiber, ref)
}

const fiberStateOf = (task: Task): engine.State | undefined =>
  task.fiber === undefined ? undefined : engine.stateOf(task.fiber)

/** The entries of a context in a promise task, where its code has read them often enough, or was started with them. */
export const indexOf = (place: Place, ref: engine.Ref): ReadonlyMap<string, unknown> | undefined => {
  if (place instanceof Task) {
    const { reading } = place
    if (reading !== undefined && reading.ref === ref && reading.state === fiberStateOf(place)) {
      return reading.index
    }
  }
  return undefined
}

/** Gives a promise task the index of the entries that it starts with. */
export const startReading = (task: Task, ref: engine.Ref, index: ReadonlyMap<string, unknown>): void => {
  task.reading = { ref, state: undefined, reads: 0, index }
}

/** Counts a read. One for each entry, and an index costs no more than the reads before it did. */
export const countRead = (place: Place, ref: engine.Ref, entries: HashMap.HashMap<string, unknown>): void => {
  if (place instanceof Task) {
    const { reading } = place
    const state = fiberStateOf(place)
    if (reading === undefined || reading.ref !== ref || reading.state !== state) {
      place.reading = { ref, state, reads: 1, index: undefined }
    } else if (++reading.reads > HashMap.size(entries)) {
      reading.index = new Map(entries)
    }
  }
}

/** Parts left-over code from the fiber that it comes from, before it writes. */
export const settle = (place: Place): void => {
  if (place instanceof Task && place.fiber === undefined && place.origin !== undefined) {
    const { origin } = place
    place.origin = undefined
    place.state = engine.detachState(place.state)
    if (origin.task === place) {
      // the fiber's next lines must not start code in a task that is no longer the fiber's
      origin.state = undefined
    }
  }
}

/** Writes a task-local value in a task. Left-over code must be settled first. */
export const write = <A>(place: Place, ref: engine.Local<A>, value: A, keepHistory: boolean): void => {
  const fiber = fiberOf(place)
  if (fiber === undefined) {
    ;(place as Task).write(ref, value)
    return
  }
  engine.writeFiber(fiber, ref, value, keepHistory)
  const { running } = shared.hooks
  if (running !== undefined && running.fiber === fiber) {
    if (running.registering) {
      running.state = engine.stateOf(fiber)
    } else if (running.task !== undefined) {
      // what this very code starts from here on sees the write; what it started before does not
      running.ended = [...(running.ended ?? []), running.task]
      renew(running)
      running.state = undefined
    }
  }
}

// -----------------------------------------------------------------------------------------------------------------
// the bridge
// -----------------------------------------------------------------------------------------------------------------

/** Ends the task that the fiber's code has had, with the state of that moment. */
const end = (fiber: BridgedFiber, state: engine.State): void => {
  const { task } = fiber
  if (task !== undefined && task.fiber !== undefined) {
    task.state = state
    task.fiber = undefined
  }
}

const enter = (fiber: BridgedFiber, live: boolean): void => {
  fiber.state = engine.stateOf(fiber.fiber)
  fiber.task = new Task(fiber.state, live ? fiber.fiber : undefined, fiber)
  shared.storage.enterWith(fiber.task)
}

const renew = (fiber: BridgedFiber): void => {
  if (fiber.state !== undefined) {
    end(fiber, fiber.state)
  }
  enter(fiber, false)
}

const slice = (fiber: BridgedFiber, run: () => void): void => {
  try {
    run()
  } finally {
    if (!fiber.registering || engine.isDone(fiber.fiber)) {
      end(fiber, engine.stateOf(fiber.fiber))
    }
    if (!async.keepsWrites) {
      fiber.context = async.capture()
    }
  }
}

const runSlice = (fiber: BridgedFiber, run: () => void): void => {
  const { hooks } = shared
  if (!engine.keepBridged(fiber.fiber)) {
    run()
    return
  }
  const before = hooks.running
  hooks.running = fiber
  try {
    fiber.context.runInAsyncScope(slice, undefined, fiber, run)
  } finally {
    hooks.running = before
  }
}

const bridged = (fiber: engine.AnyFiber): BridgedFiber => {
  let state = bridgedOf(fiber)
  if (state === undefined) {
    state = new BridgedFiber(fiber, async.capture())
    setBridged(fiber, state)
  }
  return state
}

function makeHooks(): Shared["hooks"] {
  return ({
    running: undefined,
    start(fiber, parent) {
      const holder = parent === undefined ? undefined : bridgedOf(parent)
      const building = engine.buildingLayer(fiber)
      if (holder === undefined && building === undefined) {
        return
      }
      const state = new BridgedFiber(
        fiber,
        holder === undefined || this.running === holder
          ? async.capture()
          : holder.context.runInAsyncScope(async.capture)
      )
      state.building = building
      if (parent !== undefined && building !== undefined && building !== holder?.building) {
        state.builder = parent
      }
      setBridged(fiber, state)
    },
    wrap(task, fiber) {
      const state = bridged(fiber)
      if (state.builder !== undefined) {
        // a fiber that a layer starts and that outlives its building belongs to no request
        if (engine.isFiberRun(fiber, task) && !engine.isChildOf(fiber, state.builder)) {
          state.context = async.root.runInAsyncScope(async.capture)
        }
        state.builder = undefined
      }
      if (state.run !== task) {
        state.run = task
        state.scheduled = () => runSlice(state, task)
      }
      return state.scheduled!
    },
    wrapLoose(task) {
      const context = async.capture()
      return () => context.runInAsyncScope(task)
    },
    resume() {
      const { running } = this
      if (running !== undefined) {
        running.registering = false
        end(running, engine.stateOf(running.fiber))
      }
    },
    changed() {
      const running = this.running!
      if (running.registering) {
        running.state = engine.stateOf(running.fiber)
      } else {
        running.ended = undefined
        renew(running)
      }
    },
    register() {
      const running = this.running!
      if (!running.registering) {
        if (running.state !== undefined) {
          end(running, running.state)
        }
        enter(running, true)
        running.registering = true
      }
    },
    leave(fiber) {
      const state = bridgedOf(fiber)
      if (state !== undefined) {
        end(state, engine.stateOf(fiber))
        state.task = undefined
        if (this.running === state) {
          this.running = undefined
          shared.storage.enterWith(undefined)
        }
        setBridged(fiber, undefined)
      }
    }
  })
}

/** The bridge's hooks into the engine. */
export const hooks: engine.BridgeHooks = shared.hooks
