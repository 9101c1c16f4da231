/**
 * What runs imperative code: a fiber, a promise task, or a part of one of them in which some values differ.
 *
 * Promise code that a fiber starts gets a promise task. While the fiber waits for that very code the task is **live**: it
 * reads and writes the fiber. Once the fiber goes on, the task is left over: it keeps the state of that moment, and what it
 * sets stays its own.
 */
import * as async from "#async"
import type { AsyncContext, Storage } from "../async/types.js"
import type { AnyFiber } from "../effect3/fiber.js"
import { declareCurrentFiber, stateOf } from "../effect3/fiber.js"
import { type AnyRef, emptyState, type State } from "../effect3/state.js"
import { globalValue } from "../global.js"
import type { Owner } from "../map/mark.js"
import type { ReadCache } from "./cache.js"

/** A promise task. */
export class Task {
  readonly _tag = "Task"
  /** What the task's maps are made by. A fiber's code is the fiber, until it goes on beside it and writes. */
  owner: Owner
  /** The operation of `source` that started this code: for as long as it runs, the code is the fiber's. */
  operation: number | undefined
  /** What the code has read, or was started with. */
  cache: ReadCache | undefined

  constructor(
    private made: State | (() => State),
    /** The fiber that waits for this code, while it does. */
    public fiber?: AnyFiber | undefined,
    /** The fiber that started this code, until left-over code writes. */
    public source?: FiberSource | undefined
  ) {
    // not the task itself: what it made is read when the task is long gone
    this.owner = source?.owner ?? {}
  }

  // made when somebody asks for it: most tasks read and write one context, and hand their state on to nobody
  get state(): State {
    this.cache?.flush?.(this)
    return typeof this.made === "function" ? this.made = this.made() : this.made
  }

  set state(state: State) {
    this.made = state
    this.cache = undefined
  }
}

/** Where a fiber's code is from: the fiber, with what its lines run in now. */
export interface FiberSource {
  readonly owner: Owner
  readonly task: Task | undefined
  /** The promise task in which the fiber was started. */
  readonly starter: Task | TaskPart | undefined
  state: State | undefined
}

/** The lines of a fiber, as a place of their own: where a fiber waits in somebody else's slice, or has just got the bridge. */
export interface FiberLines {
  readonly _tag: "Fiber"
  readonly fiber: AnyFiber
}

/** A fiber under the bridge, with the async context that it runs in. */
export class BridgedFiber implements FiberLines, FiberSource {
  readonly _tag = "Fiber"
  readonly owner: Owner
  /** The fiber's state when promise code last took it. */
  state: State | undefined
  /** The operation in which a user's code registered a callback, and no other code of a user has run since; else 0. */
  registering = 0
  /** How many operations the fiber has begun. */
  operation = 0
  /** The promise task of the code that the fiber runs now. */
  task: Task | undefined
  /** The parent of a fiber that was started while a layer was being built, until it is known whether it does that too. */
  builder: AnyFiber | undefined
  /** The memo map of the layers that the fiber was started to build. */
  builds: object | undefined
  /** The memo map of the layer whose building started the fiber, or one that it descends from. */
  built: object | undefined
  /** The async context that the fiber is to go on in, where that is another one. */
  next: AsyncContext | undefined

  constructor(
    readonly fiber: AnyFiber,
    public context: AsyncContext,
    /** The task in which the fiber was started, which its code is in again when the fiber has left the bridge. */
    public starter: Task | TaskPart | undefined
  ) {
    this.owner = fiber.id()
  }
}

/** A part of a task: code in which some locals have values of their own. All else it shares with the task. */
export class TaskPart {
  readonly _tag = "Part"
  constructor(readonly whole: Task, readonly values: ReadonlyMap<AnyRef, { value: unknown }>) {}
}

/** A task, promise code's or a fiber's. */
export type Whole = Task | FiberLines

/** What runs imperative code. */
export type Runner = Whole | TaskPart

/** What runs in the whole process: two copies of the package, or an ESM and a CommonJS one, follow the same tasks. */
export interface Shared {
  readonly storage: Storage<Task | TaskPart>
  /** What is set outside every task, for the tasks that start there. */
  readonly outside: Task
  /** The fiber that called, synchronously, what made a promise task current. */
  syncCaller: AnyFiber | undefined
  /** The fiber that runs now, under the bridge. */
  running: BridgedFiber | undefined
}

export const shared: Shared = /* @__PURE__ */ globalValue("aiocontext/tasks", () => {
  declareCurrentFiber()
  return {
    storage: async.makeStorage<Task | TaskPart>(),
    outside: new Task(emptyState),
    syncCaller: undefined,
    running: undefined
  }
})

/** The state of a task. */
export const stateNow = (task: Whole): State => task.fiber === undefined ? (task as Task).state : stateOf(task.fiber)

/** Runs code in a promise task. */
export const runIn = <A>(task: Task | TaskPart, f: () => A, caller: AnyFiber | undefined): A => {
  const before = shared.syncCaller
  shared.syncCaller = caller
  try {
    return shared.storage.run(task, f)
  } finally {
    shared.syncCaller = before
  }
}
