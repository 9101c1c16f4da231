/**
 * Task-local values beside the context maps: what the other systems of the field are made of.
 *
 * A program that makes none pays for none: the tasks of task.ts know only that there may be some.
 */
import * as engine from "./engine.js"
import { globalValue } from "./global.js"
import * as tasks from "./task.js"

/** How the value of a local goes on in other tasks. Joins leave the parent's as it is. */
export interface LocalOptions<A> {
  /** The value of a child task, given its parent's. */
  readonly fork: (value: A) => A
  /** The value of code that goes on beside its task. Default: the task's. */
  readonly detach?: (value: A) => A
  /** The value of a task that has none when it starts a child, for both to have. Default: the child has none either. */
  readonly seed?: () => A
  /**
   * The value of a fiber without a parent, given what it was started with and the value of the code that started it: a
   * task's (`inTask`), or the program's. Default: what it was started with.
   */
  readonly inherit?: (own: A, outer: A, inTask: boolean) => A
}

const locals = /* @__PURE__ */ globalValue("aiocontext/locals", () => new Map<engine.Local<any>, LocalOptions<any>>())

/** Makes a task-local value: one a process and id. */
export const makeLocal = <A>(id: string, initial: A, options: LocalOptions<A>): engine.Local<A> => {
  const local = engine.makeLocal(id, initial, options.fork, options.detach ?? ((value) => value))
  if (!locals.has(local)) {
    locals.set(local, options)
  }
  tasks.shared.locals ??= hooks
  return local
}

const seeded = (state: engine.State, id: engine.Id): engine.State =>
  engine.edit(state, (set) => {
    for (const [local, { seed }] of locals) {
      if (seed !== undefined && engine.valueOf(state, local) === engine.initialOf(local)) {
        set(local, [[id, seed()]])
      }
    }
  })

const inheritFrom = (fiber: engine.AnyFiber, starter: tasks.Place, inTask: boolean): void => {
  for (const [local, { inherit }] of locals) {
    if (inherit !== undefined) {
      const own = engine.valueOfFiber(fiber, local)
      const value = inherit(own, valueOf(starter, local), inTask)
      if (value !== own) {
        engine.writeFiber(fiber, local, value, false)
      }
    }
  }
}

const hooks: tasks.LocalHooks = {
  stateOf(place) {
    const task = tasks.wholeOf(place)
    // not the program, which is no task: what starts there is apart
    if (task !== tasks.shared.program && seeded(tasks.stateNow(task), engine.taskId) !== tasks.stateNow(task)) {
      // so that both share what is seeded
      tasks.settle(task)
      tasks.replace(place, seeded(tasks.stateNow(task), engine.taskId))
    }
    let state = tasks.stateNow(task)
    for (const [local, value] of valuesOf(place) ?? []) {
      state = engine.writeState(state, local, value)
    }
    return state
  },
  start(child, parent) {
    const state = engine.stateOf(parent)
    const ready = seeded(state, parent.id())
    if (ready !== state) {
      engine.setState(parent, ready)
      engine.editFiber(child, (set) => {
        for (const [local, { seed }] of locals) {
          if (seed !== undefined) {
            set(local, engine.forkStack(local, ready.locals.get(local)!))
          }
        }
      })
    }
  },
  inherit(fiber) {
    const starter = tasks.shared.storage.getStore()
    inheritFrom(fiber, starter ?? tasks.shared.program, starter !== undefined)
  },
  disown: (fiber) => inheritFrom(fiber, tasks.shared.program, false),
  // a child that lives on holds its parent: what watches it, in Effect, does
  end: (fiber) =>
    engine.editFiber(fiber, (set) => {
      for (const local of locals.keys()) {
        if (engine.stateOf(fiber).locals.has(local)) {
          set(local, undefined)
        }
      }
    })
}

/** A part of a task: code in which some locals have values of their own. */
class Part implements tasks.Part {
  constructor(readonly whole: tasks.Task, readonly values: Map<engine.Local<any>, unknown>) {}
  of(task: tasks.Task): Part {
    return new Part(task, this.values)
  }
}

// of another copy of the package's parts too
const valuesOf = (place: tasks.Place): Part["values"] | undefined => (place as Part).values

/** A task-local value, in a task. */
export const valueOf = <A>(place: tasks.Place, local: engine.Local<A>): A => {
  const values = valuesOf(place)
  return values?.has(local) ? values.get(local) as A : tasks.valueOf(place, local)
}

/** Writes a task-local value in a task. Left-over code must be settled first. */
export const write = <A>(place: tasks.Place, local: engine.Local<A>, value: A): void => {
  const values = valuesOf(place)
  if (values?.has(local)) {
    values.set(local, value)
  } else {
    tasks.write(place, local, value, false)
  }
}

/** Runs code as a part of a task: with another value of a local, and in all else as that task. */
export const runWith = <A, B>(place: tasks.Place, local: engine.Local<A>, value: A, f: () => B): B => {
  const values = new Map(valuesOf(place)).set(local, value)
  try {
    return tasks.runIn(new Part(tasks.taskOf(place, false), values), f)
  } finally {
    follow(tasks.shared.storage.getStore())
  }
}

/** Has what a fiber's code starts from here on see what the code has written. */
const follow = (store: tasks.Task | tasks.Part | undefined): void => {
  const { running } = tasks.hooks
  if (store !== undefined && running?.task !== undefined && running.fiber === engine.currentFiber()) {
    const task = (store as tasks.Part).whole ?? store
    if (task !== running.task && tasks.isOf(running, task)) {
      tasks.shared.storage.enterWith((store as tasks.Part).of?.(running.task) ?? running.task)
    }
  }
}
