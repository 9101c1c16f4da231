/**
 * A controlled world: the clock, the timers and the order of fibers are the seed's, not the machine's.
 *
 * While a world is open, its code meets timers, `Date` and `Math.random` that are the world's, and the engine's default
 * scheduler hands it the tasks of its fibers. Whose code it is follows the async context, so code beside the world
 * (another test of the same file, say) keeps the real ones. A step takes one task, or a few, and ends when the microtask
 * queue is empty.
 *
 * What the kit cannot steer it waits for: sockets, files and worker threads. Such a run works, and its order is only as
 * repeatable as they are.
 */
import * as async from "#async"
import { syncBuiltinESMExports } from "node:module"
import nodeTimers from "node:timers"
import nodeTimersPromises from "node:timers/promises"
import { promisify } from "node:util"
import type { AsyncContext } from "../internal/async.js"
import * as engine from "../internal/engine.js"
import type { Draws } from "./random.js"

/** Whose code runs: a request's, or the kit's own. */
export interface Owner {
  readonly world: World
  /** `undefined`: the kit. */
  readonly request: number | undefined
}

/** Something that is ready to run. */
export interface Job {
  readonly run: () => void
  readonly owner: Owner
  readonly kind: "fiber" | "task" | "timer" | "start" | "wake"
  /** Who made it ready. */
  readonly by: Owner | undefined
  /** Through what, where that is known. */
  readonly via: string | undefined
  readonly fiber: engine.AnyFiber | undefined
}

const storage = async.makeStorage<Owner>()
const owners = new WeakMap<engine.AnyFiber, Owner>()
let active: Owner | undefined

const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  clearImmediate: globalThis.clearImmediate,
  Date: globalThis.Date,
  performanceNow: globalThis.performance.now,
  mathRandom: Math.random
}

/** The time of the machine, whatever the running code sees. */
export const machineTime = (): number => real.performanceNow.call(performance)

/** Whose fiber it is. */
export const ownerOf = (fiber: engine.AnyFiber): Owner | undefined => {
  const known = owners.get(fiber)
  if (known !== undefined) {
    return known
  }
  // seen for the first time: by the one who starts it
  const owner = storage.getStore() ?? active
  if (owner !== undefined) {
    owners.set(fiber, owner)
  }
  return owner
}

/** Whose code runs here. */
export const currentOwner = (): Owner | undefined => {
  const fiber = engine.currentFiber()
  return (fiber === undefined ? undefined : ownerOf(fiber)) ?? storage.getStore() ?? active
}

/** Runs code as someone's. */
export const runAs = <A>(owner: Owner, f: () => A): A => {
  const before = active
  active = owner
  try {
    return storage.run(owner, f)
  } finally {
    active = before
  }
}

const currentWorld = (): World | undefined => currentOwner()?.world

// -----------------------------------------------------------------------------------------------------------------
// timers
// -----------------------------------------------------------------------------------------------------------------

class Timer {
  due: number
  private counted = true
  readonly context: AsyncContext = async.capture()
  constructor(
    readonly world: World,
    readonly owner: Owner,
    readonly callback: () => void,
    readonly delay: number,
    readonly repeats: boolean,
    readonly sequence: number,
    readonly kind: "timer" | "start" = "timer"
  ) {
    this.due = world.now + delay
  }

  ref(): this {
    this.counted = true
    return this
  }

  unref(): this {
    this.counted = false
    return this
  }

  hasRef(): boolean {
    return this.counted
  }

  refresh(): this {
    this.due = this.world.now + this.delay
    this.world.addTimer(this)
    return this
  }

  close(): this {
    this.world.removeTimer(this)
    return this
  }

  [Symbol.toPrimitive](): number {
    return this.sequence
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const longest = 2 ** 31 - 1

const toDelay = (delay: unknown): number => {
  const millis = Number(delay)
  return millis >= 1 && millis <= longest ? Math.trunc(millis) : 1
}

// -----------------------------------------------------------------------------------------------------------------
// the world
// -----------------------------------------------------------------------------------------------------------------

// what every run's clock starts with
const epoch = real.Date.UTC(2000, 0, 1)

/** What a world tells while it runs. */
export interface Observer {
  /** A job is about to run. */
  step(job: Job): void
  /** A fiber is about to do its next operation, in its own async context, for the first time in this step. */
  resumed(fiber: engine.AnyFiber, owner: Owner): void
  /** A callback threw. */
  threw(error: unknown, owner: Owner): void
}

/** A controlled world. */
export class World {
  now = 0
  steps = 0
  closed = false
  readonly kit: Owner = { world: this, request: undefined }
  /** What else could be done at each step, beside running what is ready. */
  extra: () => Job | undefined = () => undefined
  /** Tells through what a fiber was made ready: worth its price only in a run that is to be explained. */
  explain: (() => string) | undefined
  private readonly jobs: Array<Job> = []
  private timers: Array<Timer> = []
  private sequence = 0
  private running: engine.AnyFiber | undefined
  private announced: engine.AnyFiber | undefined
  private quantum = Infinity
  private root: Owner | undefined
  constructor(readonly schedule: Draws, readonly chance: Draws, readonly observer: Observer) {}

  get date(): number {
    return epoch + this.now
  }

  private addJob(job: Job): void {
    if (!this.closed) {
      this.jobs.push(job)
    }
  }

  addTimer(timer: Timer): void {
    // the longest timer there is only keeps a process alive
    if (this.closed || timer.delay === longest) {
      return
    }
    this.timers = this.timers.filter((other) => other !== timer)
    let position = this.timers.length
    while (position > 0 && this.timers[position - 1]!.due > timer.due) {
      position--
    }
    this.timers.splice(position, 0, timer)
  }

  removeTimer(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer)
  }

  makeTimer(callback: () => void, delay: unknown, repeats: boolean): Timer {
    const owner = currentOwner() ?? this.kit
    const timer = new Timer(this, owner, callback, toDelay(delay), repeats, ++this.sequence)
    this.addTimer(timer)
    return timer
  }

  makeImmediate(callback: () => void): Timer {
    const owner = currentOwner() ?? this.kit
    const timer = new Timer(this, owner, callback, 0, false, ++this.sequence)
    this.addTimer(timer)
    return timer
  }

  /** Starts someone when the clock has come so far. */
  startAt(delay: number, start: () => void, owner: Owner): void {
    this.addTimer(new Timer(this, owner, start, delay, false, ++this.sequence, "start"))
  }

  /** The time of the next timer, if there is one. */
  get nextTimer(): number | undefined {
    return this.timers[0]?.due
  }

  /** Whether there is nothing to do at this time of the clock. */
  get quiet(): boolean {
    return this.jobs.length === 0 && (this.timers.length === 0 || this.timers[0]!.due > this.now)
  }

  shouldYield(fiber: engine.AnyFiber): boolean {
    if (this.announced !== fiber) {
      this.announced = fiber
      this.observer.resumed(fiber, ownerOf(fiber) ?? this.kit)
    }
    if (this.running !== fiber || --this.quantum > 0) {
      return false
    }
    this.quantum = Infinity
    return true
  }

  scheduleTask(task: () => void, fiber: engine.AnyFiber | undefined, owner: Owner): void {
    const context = async.capture()
    this.addJob({
      run: () => context.runInAsyncScope(() => storage.run(owner, task)),
      owner,
      kind: fiber === undefined ? "task" : "fiber",
      by: this.waker(owner),
      via: this.explain?.(),
      fiber
    })
  }

  private waker(owner: Owner): Owner | undefined {
    const running = currentOwner()
    // a fiber's own promise code goes on in the step of whoever settled the promise
    return running === owner ? this.root ?? running : running
  }

  /** Whether a busy process could let this time pass: no timeout of a minute is to strike because of that. */
  private isNear(due: number): boolean {
    return due - this.now <= 1_000
  }

  private take(): Job | undefined {
    if (this.jobs.length === 0 && this.quiet) {
      const due = this.nextTimer
      const extra = due === undefined || this.schedule.next(2) === 0 || !this.isNear(due) ? this.extra() : undefined
      if (extra !== undefined) {
        return extra
      }
      if (due === undefined) {
        return undefined
      }
      this.now = due
    }
    const { jobs } = this
    const due = this.dueTimers()
    const ready = jobs.length + due.length
    // one more than there is: something that nobody in the run waits for happens first
    const choice = this.schedule.next(ready + 1)
    if (choice < jobs.length) {
      return this.takeJob(choice)
    }
    if (choice < ready) {
      return this.fire(due[choice - jobs.length]!)
    }
    const extra = this.extra()
    if (extra !== undefined) {
      return extra
    }
    const later = this.timers.find((timer) => timer.due > this.now)
    if (later !== undefined && this.schedule.next(4) === 3 && this.isNear(later.due)) {
      // the process was busy for so long that this one is due as well
      this.now = later.due
      return this.fire(this.dueTimers().at(-1)!)
    }
    return jobs.length > 0 ? this.takeJob(0) : this.fire(due[0]!)
  }

  private takeJob(position: number): Job | undefined {
    return this.jobs.splice(position, 1)[0]
  }

  /** What can follow a job without a break, so that their microtasks mingle: a fiber of the same batch, a new request. */
  private takeAnother(): Job | undefined {
    const starts = this.dueTimers().filter(({ kind }) => kind === "start")
    const choice = this.schedule.next(this.jobs.length + starts.length + 1)
    const start = starts[choice - this.jobs.length]
    return start === undefined ? this.takeJob(choice) : this.fire(start)
  }

  /** The next due timer of each owner: one's own fire in the order of their times, whatever the machine does. */
  private dueTimers(): ReadonlyArray<Timer> {
    const next = new Map<Owner, Timer>()
    for (const timer of this.timers) {
      if (timer.due > this.now) {
        break
      }
      if (!next.has(timer.owner)) {
        next.set(timer.owner, timer)
      }
    }
    return Array.from(next.values())
  }

  private fire(timer: Timer): Job {
    this.removeTimer(timer)
    return {
      run: () => {
        if (timer.repeats) {
          timer.refresh()
        }
        timer.context.runInAsyncScope(timer.callback)
      },
      owner: timer.owner,
      kind: timer.kind,
      by: undefined,
      via: "a timer",
      fiber: undefined
    }
  }

  /** Runs one job, in the sense that its synchronous part is done. `false` if none is ready. */
  private runOne(job: Job | undefined): boolean {
    if (job === undefined) {
      return false
    }
    this.steps++
    this.root = job.owner
    this.observer.step(job)
    this.running = job.fiber
    this.announced = undefined
    // now and then a fiber must let others go on in the middle of its work
    const cut = job.fiber !== undefined && this.schedule.next(8) === 7
    this.quantum = cut ? 1 + this.schedule.next(16) : Infinity
    active = job.owner
    try {
      job.run()
    } catch (error) {
      this.observer.threw(error, job.owner)
    } finally {
      active = undefined
      this.running = undefined
    }
    return true
  }

  /**
   * Steps until `done` says so, or `limit` (in steps) is reached; waits for the machine where nothing is ready, until
   * `deadline`, or until it has looked `patience` times, a millisecond apart. Tells whether it is done.
   */
  async drive(
    done: () => boolean,
    deadline: number,
    limit: number = Infinity,
    patience: number = Infinity
  ): Promise<boolean> {
    const last = this.steps + limit
    let idle = 0
    for (let turns = 0; !done(); turns++) {
      if (this.steps >= last || (turns % 64 === 0 && machineTime() > deadline)) {
        return false
      }
      if (this.runOne(this.take())) {
        if (this.schedule.next(4) === 3 && !done()) {
          this.runOne(this.takeAnother())
        }
        await new Promise<void>((resolve) => void real.setImmediate(resolve))
        idle = 0
      } else {
        if (machineTime() > deadline || ++idle > patience) {
          return false
        }
        await new Promise<void>((resolve) => void real.setTimeout(resolve, 1))
      }
    }
    return true
  }

  /** Ends the world: what is still to come never comes. */
  close(): void {
    this.closed = true
    this.jobs.length = 0
    this.timers = []
  }
}

// -----------------------------------------------------------------------------------------------------------------
// what code in the world meets
// -----------------------------------------------------------------------------------------------------------------

const bindArgs = (callback: (...args: Array<unknown>) => void, args: Array<unknown>) => () => callback(...args)

type Callback = (...args: Array<unknown>) => void

const fakes = {
  setTimeout: (callback: Callback, delay?: number, ...args: Array<unknown>): unknown =>
    currentWorld()?.makeTimer(bindArgs(callback, args), delay, false) ?? real.setTimeout(callback, delay, ...args),
  setInterval: (callback: Callback, delay?: number, ...args: Array<unknown>): unknown =>
    currentWorld()?.makeTimer(bindArgs(callback, args), delay, true) ?? real.setInterval(callback, delay, ...args),
  setImmediate: (callback: Callback, ...args: Array<unknown>): unknown =>
    currentWorld()?.makeImmediate(bindArgs(callback, args)) ?? real.setImmediate(callback, ...args)
}

const clear = (realClear: (handle: never) => void) => (handle: unknown): void => {
  if (handle instanceof Timer) {
    handle.close()
  } else {
    realClear(handle as never)
  }
}

interface WaitOptions {
  readonly signal?: AbortSignal
}

const wait = <A>(
  start: (callback: () => void) => unknown,
  value: A,
  options: WaitOptions | undefined
): Promise<A> =>
  new Promise((resolve, reject) => {
    const signal = options?.signal
    const aborted = () =>
      reject(Object.assign(new Error("The operation was aborted"), { name: "AbortError", cause: signal?.reason }))
    if (signal?.aborted === true) {
      aborted()
      return
    }
    const timer = start(() => {
      signal?.removeEventListener("abort", abort)
      resolve(value)
    })
    const abort = () => {
      fakeClear.clearTimeout(timer)
      aborted()
    }
    signal?.addEventListener("abort", abort, { once: true })
  })

const fakeClear = {
  clearTimeout: clear(real.clearTimeout),
  clearInterval: clear(real.clearInterval),
  clearImmediate: clear(real.clearImmediate)
}

const realPromises = { ...nodeTimersPromises }

const fakePromises = {
  setTimeout: <A>(delay?: number, value?: A, options?: WaitOptions): Promise<A | undefined> =>
    currentWorld() === undefined
      ? realPromises.setTimeout(delay, value, options)
      : wait((callback) => fakes.setTimeout(callback, delay), value, options),
  setImmediate: <A>(value?: A, options?: WaitOptions): Promise<A | undefined> =>
    currentWorld() === undefined
      ? realPromises.setImmediate(value, options)
      : wait((callback) => fakes.setImmediate(callback), value, options)
}

for (const name of ["setTimeout", "setImmediate"] as const) {
  Object.defineProperty(fakes[name], promisify.custom, { value: fakePromises[name] })
}

class WorldDate extends real.Date {
  constructor(...args: [] | [value: number]) {
    const world = args.length === 0 ? currentWorld() : undefined
    if (world === undefined) {
      super(...args as [number])
    } else {
      super(world.date)
    }
  }

  static override now(): number {
    return currentWorld()?.date ?? real.Date.now()
  }
}

const swap = (target: object, members: object): void => {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true })
  }
}

const { Date: RealDate, mathRandom, performanceNow, ...realTimers } = real

const interceptor: engine.Interceptor = {
  shouldYield: (fiber) => ownerOf(fiber)?.world.shouldYield(fiber) ?? false,
  scheduleTask: (task, fiber) => {
    const owner = fiber === undefined ? currentOwner() : ownerOf(fiber)
    owner?.world.scheduleTask(task, fiber, owner)
    return owner !== undefined
  }
}

const install = (): () => void => {
  const removals = [engine.intercept(interceptor), watchConsole()]
  swap(globalThis, { ...fakes, ...fakeClear, Date: WorldDate })
  swap(performance, { now: () => currentWorld()?.now ?? performanceNow.call(performance) })
  swap(Math, { random: () => worldRandom() ?? mathRandom() })
  swap(nodeTimers, { ...fakes, ...fakeClear })
  swap(nodeTimersPromises, fakePromises)
  syncBuiltinESMExports()
  return () => {
    removals.forEach((remove) => remove())
    swap(globalThis, { ...realTimers, Date: RealDate })
    Reflect.deleteProperty(performance, "now")
    swap(Math, { random: mathRandom })
    swap(nodeTimers, realTimers)
    swap(nodeTimersPromises, realPromises)
    syncBuiltinESMExports()
  }
}

let worlds = 0
let uninstall = () => {}

/** From here on, code that belongs to a world meets its clock. Gives the function that ends that. */
export const open = (): () => void => {
  if (++worlds === 1) {
    uninstall = install()
  }
  return () => {
    if (--worlds === 0) {
      uninstall()
    }
  }
}

const worldRandom = (): number | undefined => {
  const world = currentWorld()
  return world === undefined ? undefined : world.chance.next(2 ** 31) / 2 ** 31
}

// -----------------------------------------------------------------------------------------------------------------
// the console
// -----------------------------------------------------------------------------------------------------------------

/** What is told of each line that code of a world prints. */
export const printed: Set<(owner: Owner, values: ReadonlyArray<unknown>) => void> = new Set()

const methods = ["debug", "error", "info", "log", "trace", "warn"] as const

const watchConsole = (): () => void => {
  const before = { ...console }
  for (const method of methods) {
    console[method] = (...values: Array<unknown>) => {
      const owner = currentOwner()
      if (owner === undefined) {
        before[method](...values)
      } else {
        printed.forEach((tell) => tell(owner, values))
      }
    }
  }
  return () => {
    for (const method of methods) {
      console[method] = before[method]
    }
  }
}
