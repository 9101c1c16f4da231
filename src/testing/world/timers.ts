/**
 * The timers that code in a world meets: `setTimeout` and its kin, of the globals, `node:timers` and its promises.
 */
import nodeTimers from "node:timers"
import nodeTimersPromises from "node:timers/promises"
import { promisify } from "node:util"
import * as internals from "../internals.js"
import type { AsyncContext } from "../internals.js"
import { currentOwner } from "./owner.js"
import type { Owner } from "./owner.js"
import { swap } from "./swap.js"

type Name = `${"set" | "clear"}${"Timeout" | "Interval" | "Immediate"}`

const { clearImmediate, clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = globalThis

/** The timers of the machine. */
export const real: Pick<typeof globalThis, Name> = {
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate
}

// the longest there is: it only keeps a process alive
const longest = 2 ** 31 - 1

const toDelay = (delay: unknown): number => {
  const millis = Number(delay)
  return millis >= 1 && millis <= longest ? Math.trunc(millis) : 1
}

/** The timers of one world, in the order in which they are due. */
export class Timers {
  /** The time of the world, in milliseconds. */
  now = 0
  private waiting: Array<Timer> = []
  private made = 0

  make(owner: Owner, callback: () => void, delay: number, kind: Timer["kind"] = "timer", repeats = false): Timer {
    const timer = new Timer(this, owner, callback, delay, kind, repeats, ++this.made)
    this.add(timer)
    return timer
  }

  add(timer: Timer): void {
    if (timer.delay === longest) {
      return
    }
    this.remove(timer)
    const later = this.waiting.findIndex(({ due }) => due > timer.due)
    this.waiting.splice(later < 0 ? this.waiting.length : later, 0, timer)
  }

  remove(timer: Timer): void {
    this.waiting = this.waiting.filter((other) => other !== timer)
  }

  clear(): void {
    this.waiting = []
  }

  /** Lets nobody start any more. */
  dropStarts(): void {
    this.waiting = this.waiting.filter(({ kind }) => kind !== "start")
  }

  /** The time of the next one. */
  get next(): number | undefined {
    return this.waiting[0]?.due
  }

  /** The time of the next one that is not due yet. */
  get later(): number | undefined {
    return this.waiting.find(({ due }) => due > this.now)?.due
  }

  /** The next due one of each owner: one's own fire in the order of their times, whatever the machine does. */
  get due(): ReadonlyArray<Timer> {
    const due = new Map<Owner, Timer>()
    for (const timer of this.waiting) {
      if (timer.due > this.now) {
        break
      }
      if (!due.has(timer.owner)) {
        due.set(timer.owner, timer)
      }
    }
    return Array.from(due.values())
  }
}

/** A timer, as Node's own are to those who hold one. */
export class Timer {
  due: number
  /** See {@link Choices}. */
  readonly rank: number
  private counted = true
  private readonly context: AsyncContext = internals.capture()
  constructor(
    private readonly timers: Timers,
    readonly owner: Owner,
    private readonly callback: () => void,
    readonly delay: number,
    readonly kind: "timer" | "start",
    private readonly repeats: boolean,
    private readonly number: number
  ) {
    this.due = timers.now + delay
    this.rank = owner.world.choices.rank(owner.request)
  }

  /** Runs the callback in the async context that the timer was set in. */
  fire(): void {
    if (this.repeats) {
      this.refresh()
    }
    this.context.runInAsyncScope(this.callback)
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
    this.due = this.timers.now + this.delay
    this.timers.add(this)
    return this
  }

  close(): this {
    this.timers.remove(this)
    return this
  }

  [Symbol.toPrimitive](): number {
    return this.number
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

// -----------------------------------------------------------------------------------------------------------------
// in the place of Node's
// -----------------------------------------------------------------------------------------------------------------

type Callback = (...args: Array<unknown>) => void

const setIn = (callback: Callback, args: Array<unknown>, delay: number, repeats = false): Timer | undefined => {
  const owner = currentOwner()
  return owner?.world.timers.make(owner, () => callback(...args), delay, "timer", repeats)
}

const fakes = {
  setTimeout: (callback: Callback, delay?: number, ...args: Array<unknown>): unknown =>
    setIn(callback, args, toDelay(delay)) ?? real.setTimeout(callback, delay, ...args),
  setInterval: (callback: Callback, delay?: number, ...args: Array<unknown>): unknown =>
    setIn(callback, args, toDelay(delay), true) ?? real.setInterval(callback, delay, ...args),
  setImmediate: (callback: Callback, ...args: Array<unknown>): unknown =>
    setIn(callback, args, 0) ?? real.setImmediate(callback, ...args)
}

const clear = (realClear: (handle: never) => void) => (handle: unknown): void => {
  if (handle instanceof Timer) {
    handle.close()
  } else {
    realClear(handle as never)
  }
}

const fakeClears = {
  clearTimeout: clear(real.clearTimeout),
  clearInterval: clear(real.clearInterval),
  clearImmediate: clear(real.clearImmediate)
}

interface WaitOptions {
  readonly signal?: AbortSignal
}

const wait = <A>(start: (callback: () => void) => unknown, value: A, options: WaitOptions | undefined): Promise<A> =>
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
      fakeClears.clearTimeout(timer)
      aborted()
    }
    signal?.addEventListener("abort", abort, { once: true })
  })

const realPromises = { ...nodeTimersPromises }

const fakePromises = {
  setTimeout: <A>(delay?: number, value?: A, options?: WaitOptions): Promise<A | undefined> =>
    currentOwner() === undefined
      ? realPromises.setTimeout(delay, value, options)
      : wait((callback) => fakes.setTimeout(callback, delay), value, options),
  setImmediate: <A>(value?: A, options?: WaitOptions): Promise<A | undefined> =>
    currentOwner() === undefined
      ? realPromises.setImmediate(value, options)
      : wait((callback) => fakes.setImmediate(callback), value, options)
}

for (const name of ["setTimeout", "setImmediate"] as const) {
  Object.defineProperty(fakes[name], promisify.custom, { value: fakePromises[name] })
}

/** Puts the world's timers in the place of Node's; gives the function that puts those back. */
export const fakeTimers = (): () => void => {
  swap(globalThis, { ...fakes, ...fakeClears })
  swap(nodeTimers, { ...fakes, ...fakeClears })
  swap(nodeTimersPromises, fakePromises)
  return () => {
    swap(globalThis, real)
    swap(nodeTimers, real)
    swap(nodeTimersPromises, realPromises)
  }
}
