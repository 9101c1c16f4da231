/**
 * Tasks: what imperative code runs in.
 *
 * A task is a fiber, or a promise task: a state of its own that follows the async context. Promise code that a fiber
 * starts gets a promise task that is **live** while the fiber waits for that very code: it reads and writes the fiber.
 * Once the fiber goes on, the task is left over: it keeps the state of that moment, and what it sets stays its own.
 */
import * as async from "#async"
import { BridgeError, NoTaskError } from "../errors.js"
import type { AsyncContext, Storage } from "./async.js"
import * as engine from "./engine.js"
import { globalValue } from "./global.js"

/** A promise task. */
export class Task {
  /** The fiber that waits for this code, while it does. */
  fiber: engine.AnyFiber | undefined
  state: engine.State
  /** Where the state is from, while it is shared with a fiber: before it writes, left-over code parts with it. */
  origin: Origin | undefined
  /** The operation of the fiber of `origin` that started this code: for as long as it runs, the code is the fiber's. */
  operation: number | undefined = undefined
  constructor(state: engine.State, fiber: engine.AnyFiber | undefined, origin: Origin | undefined) {
    this.state = state
    this.fiber = fiber
    this.origin = origin
  }
}

interface Origin {
  task: Task | undefined
  state: engine.State | undefined
}

const nowhere: Origin = { task: undefined, state: undefined }

/** What runs imperative code. */
export type Place = Task | engine.AnyFiber

// by what it has: another copy of the package may have made it
const isTask = (place: Place): place is Task => "origin" in place

/** A fiber under the bridge, with the async context that it runs in. */
class BridgedFiber implements engine.Running, Origin {
  state: engine.State | undefined = undefined
  registering = false
  /** The promise task of the code that the fiber runs now. */
  task: Task | undefined = undefined
  operation = 0
  /** The memo map of the layer that was being built when the fiber started. */
  building: unknown = undefined
  /** The parent of a fiber that a layer starts, until it is known whether the fiber outlives the layer's building. */
  builder: engine.AnyFiber | undefined = undefined
  run: (() => void) | undefined = undefined
  scheduled: (() => void) | undefined = undefined
  constructor(readonly fiber: engine.AnyFiber, public context: AsyncContext) {}
}

interface Shared {
  readonly storage: Storage<Task>
  readonly fibers: WeakMap<engine.AnyFiber, BridgedFiber>
  /** The fiber that called, synchronously, what made a promise task current. */
  host: engine.AnyFiber | undefined
}

// One a process: two copies of the package, or an ESM and a CommonJS one, follow the same tasks.
const shared: Shared = /* @__PURE__ */ globalValue("aiocontext/tasks", () => ({
  storage: async.makeStorage<Task>(),
  fibers: new WeakMap(),
  host: undefined
}))

// -----------------------------------------------------------------------------------------------------------------
// the running task
// -----------------------------------------------------------------------------------------------------------------

/** Whether a task's code is that of the operation which a fiber runs. */
const isOf = (running: BridgedFiber, task: Task): boolean =>
  task.origin === running && task.operation === running.operation

/** The task that runs this code: `undefined` where none does, `"unbridged"` for a fiber outside the bridge. */
export const current = (): Place | "unbridged" | undefined => {
  const fiber = engine.currentFiber()
  const task = shared.storage.getStore()
  if (fiber === undefined) {
    return task
  }
  const { running } = hooks
  if (running !== undefined && running.fiber === fiber) {
    return task === undefined || task === running.task || isOf(running, task) ? fiber : task
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
    throw new NoTaskError(async.follows ? { operation } : { operation, browser: true })
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
  if (isTask(place)) {
    return place
  }
  const { running } = hooks
  if (running === undefined || running.fiber !== place) {
    return new Task(engine.stateOf(place), undefined, nowhere)
  }
  if (running.registering && running.task !== undefined) {
    return running.task
  }
  const task = new Task(engine.stateOf(place), undefined, running)
  task.operation = running.operation
  return task
}

/** A promise task of its own, with a given state. */
export const make = (state: engine.State): Task => new Task(state, undefined, undefined)

/** A child of a task. */
export const fork = (place: Place): Task => make(engine.forkState(stateOf(place)))

/** A child of the running task; a task of its own where none is known. */
export const start = (): Task => {
  const place = current()
  return place === undefined || place === "unbridged" ? make(engine.emptyState) : fork(place)
}

// -----------------------------------------------------------------------------------------------------------------
// reading and writing
// -----------------------------------------------------------------------------------------------------------------

const fiberOf = (place: Place): engine.AnyFiber | undefined => isTask(place) ? place.fiber : place

const stateNow = (place: Place): engine.State => {
  const fiber = fiberOf(place)
  return fiber === undefined ? (place as Task).state : engine.stateOf(fiber)
}

/** The state of a task, for a child to start from. */
export const stateOf = (place: Place): engine.State => {
  const state = stateNow(place)
  if (engine.readyState(state) !== state) {
    settle(place)
    replace(place, engine.readyState(stateNow(place)))
  }
  return stateNow(place)
}

/** The service of a tag in a task, if it is there. */
export const serviceOf = (place: Place, key: string): unknown => {
  const fiber = fiberOf(place)
  return fiber === undefined
    ? engine.serviceOf((place as Task).state, key)
    : engine.serviceOfFiber(fiber, key)
}

/** A task-local value, in a task. */
export const valueOf = <A>(place: Place, ref: engine.Local<A>): A => {
  const fiber = fiberOf(place)
  return fiber === undefined ? engine.valueOf((place as Task).state, ref) : engine.valueOfFiber(fiber, ref)
}

/** Parts left-over code from the fiber that it comes from, before it writes. */
export const settle = (place: Place): void => {
  if (isTask(place) && place.fiber === undefined && place.origin !== undefined) {
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
    ;(place as Task).state = engine.writeState((place as Task).state, ref, value)
  } else {
    engine.writeFiber(fiber, ref, value, keepHistory)
    wrote(fiber)
  }
}

const replace = (place: Place, state: engine.State): void => {
  const fiber = fiberOf(place)
  if (fiber === undefined) {
    ;(place as Task).state = state
  } else {
    engine.setState(fiber, state)
    wrote(fiber)
  }
}

const wrote = (fiber: engine.AnyFiber): void => {
  const { running } = hooks
  if (running !== undefined && running.fiber === fiber) {
    if (running.registering) {
      running.state = engine.stateOf(fiber)
    } else if (running.task !== undefined) {
      // what this very code starts from here on sees the write; what it started before does not
      running.task.operation = running.operation
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
  let state = shared.fibers.get(fiber)
  if (state === undefined) {
    state = new BridgedFiber(fiber, async.capture())
    shared.fibers.set(fiber, state)
  }
  return state
}

/** What the library does when the engine starts, runs and suspends fibers. */
interface Hooks extends engine.BridgeHooks {
  running: BridgedFiber | undefined
}

/** The bridge's hooks into the engine. */
export const hooks: Hooks = /* @__PURE__ */ globalValue("aiocontext/hooks", (): Hooks => ({
  running: undefined,
  start(fiber, parent) {
    const holder = parent === undefined ? undefined : shared.fibers.get(parent)
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
    shared.fibers.set(fiber, state)
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
    // not what the registering code wrote, which is known already: the fiber has gone on
    running.registering = false
    renew(running)
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
  end(fiber) {
    const state = shared.fibers.get(fiber)
    if (state !== undefined) {
      end(state, engine.stateOf(fiber))
      state.task = undefined
      shared.fibers.delete(fiber)
    }
  },
  leave(fiber) {
    const state = shared.fibers.get(fiber)
    if (state !== undefined) {
      end(state, engine.stateOf(fiber))
      state.task = undefined
      if (this.running === state) {
        this.running = undefined
        shared.storage.enterWith(undefined)
      }
      shared.fibers.delete(fiber)
    }
  }
}))
