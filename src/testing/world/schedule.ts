/**
 * The order of a world: what is ready, and which of it is next. A step takes one job, or two, and ends when the
 * microtask queue is empty.
 */
import * as internals from "../internals.js"
import type { AnyFiber } from "../internals.js"
import { currentOwner, ownerOf, runAs, runStep } from "./owner.js"
import type { Owner } from "./owner.js"
import type { Choices, Draws } from "./random.js"
import { real, Timer, Timers } from "./timers.js"

/** Something that is ready to run. */
export interface Job {
  readonly run: () => void
  readonly owner: Owner
  readonly kind: "fiber" | "task" | "timer" | "start" | "wake"
  /** Who made it ready. */
  readonly by: Owner | undefined
  /** Through what, where that is known. */
  readonly via: string | undefined
  readonly fiber: AnyFiber | undefined
  /** See {@link Choices}. */
  readonly rank: number
}

/** What a world tells while it runs. */
export interface Observer {
  /** A job is about to run. */
  step(job: Job): void
  /** A fiber is about to do its next operation, in its own async context, for the first time in this step. */
  resumed(fiber: AnyFiber, owner: Owner): void
  /** A callback threw. */
  threw(error: unknown, owner: Owner): void
  /** Code printed a line. */
  printed(values: ReadonlyArray<unknown>, owner: Owner): void
}

/** When a drive ends that is not done: once it is late, after so many steps, or when it has waited so often. */
export interface Limits {
  readonly isLate: () => boolean
  readonly steps?: number
  /** How often it may find nothing to do, a millisecond apart. */
  readonly patience?: number
}

/** A controlled world. */
export class World {
  steps = 0
  readonly timers: Timers = new Timers()
  readonly kit: Owner = { world: this, request: undefined }
  /** What else could be done at each step, beside running what is ready. */
  extra: () => Job | undefined = () => undefined
  /** Tells through what a fiber was made ready: worth its price only in a run that is to be explained. */
  explain: (() => string) | undefined
  /** Whether it has ended: what is still to come never comes. */
  closed = false
  private readonly jobs: Array<Job> = []
  private running: AnyFiber | undefined
  private announced: AnyFiber | undefined
  private quantum = Infinity
  private root: Owner | undefined
  constructor(
    readonly choices: Choices,
    private readonly chance: (owner: number | undefined) => Draws,
    readonly observer: Observer
  ) {}

  /** What `Math.random` gives an owner. */
  random({ request }: Owner): number {
    return this.chance(request).next(2 ** 31) / 2 ** 31
  }

  /** Whether there is nothing to do at this time of the clock. */
  get quiet(): boolean {
    return this.jobs.length === 0 && (this.timers.next ?? Infinity) > this.timers.now
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what the engine asks
  // ---------------------------------------------------------------------------------------------------------------

  shouldYield(fiber: AnyFiber): boolean {
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

  scheduleTask(task: () => void, fiber: AnyFiber | undefined, owner: Owner): void {
    if (this.closed) {
      return
    }
    const context = internals.capture()
    const running = currentOwner()
    this.jobs.push({
      run: () => context.runInAsyncScope(() => runAs(owner, task)),
      owner,
      kind: fiber === undefined ? "task" : "fiber",
      // a fiber's own promise code goes on in the step of whoever settled the promise
      by: running === owner ? this.root ?? running : running,
      via: this.explain?.(),
      fiber,
      rank: this.choices.rank(owner.request)
    })
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what is next
  // ---------------------------------------------------------------------------------------------------------------

  private take(): Job | undefined {
    if (this.quiet) {
      const due = this.timers.next
      const extra = due === undefined || !this.isNear(due) || this.choices.next(2, undefined) === 0
        ? this.extra()
        : undefined
      if (extra !== undefined || due === undefined) {
        return extra
      }
      this.timers.now = due
    }
    const ready = [...this.jobs, ...this.timers.due]
    const first = ready[this.choices.first(ready)]!
    // now and then something that nobody in the run waits for happens before
    const isLate = this.choices.next(ready.length + 1, first.owner.request) === ready.length
    return (isLate ? this.extra() ?? this.skip(first.owner) : undefined) ?? this.remove(first)
  }

  private remove(ready: Job | Timer): Job {
    if (ready instanceof Timer) {
      return this.fire(ready)
    }
    this.jobs.splice(this.jobs.indexOf(ready), 1)
    return ready
  }

  /** The process was busy for so long that the next timer is due as well. */
  private skip({ request }: Owner): Job | undefined {
    const { later } = this.timers
    if (later === undefined || !this.isNear(later) || this.choices.next(4, request) !== 3) {
      return undefined
    }
    this.timers.now = later
    return this.fire(this.timers.due.at(-1)!)
  }

  /** Whether a busy process could let this time pass: no timeout of a minute is to strike because of that. */
  private isNear(due: number): boolean {
    return due - this.timers.now <= 1_000
  }

  /** What can follow a job without a break, so that their microtasks mingle: a fiber of the same batch, a new request. */
  private takeAnother(): Job | undefined {
    const ready = [...this.jobs, ...this.timers.due.filter(({ kind }) => kind === "start")]
    return ready.length === 0 ? undefined : this.remove(ready[this.choices.first(ready)]!)
  }

  private fire(timer: Timer): Job {
    this.timers.remove(timer)
    const { kind, owner, rank } = timer
    return { run: () => timer.fire(), owner, kind, by: undefined, via: "a timer", fiber: undefined, rank }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the drive
  // ---------------------------------------------------------------------------------------------------------------

  /** Runs one job, in the sense that its synchronous part is done. */
  private runOne(job: Job): void {
    this.steps++
    this.root = job.owner
    this.observer.step(job)
    this.running = job.fiber
    this.announced = undefined
    // now and then a fiber must let others go on in the middle of its work
    const cut = job.fiber !== undefined && this.choices.next(8, job.owner.request) === 7
    this.quantum = cut ? 1 + this.choices.next(16, job.owner.request) : Infinity
    try {
      runStep(job.owner, job.run)
    } catch (error) {
      this.observer.threw(error, job.owner)
    } finally {
      this.running = undefined
    }
  }

  /** Steps until `done` says so; waits for the machine where nothing is ready. Tells whether it is done. */
  async drive(done: () => boolean, { isLate, patience = Infinity, steps = Infinity }: Limits): Promise<boolean> {
    const last = this.steps + steps
    let idle = 0
    for (let turns = 0; !done(); turns++) {
      if (this.steps >= last || (turns % 64 === 0 && isLate())) {
        return false
      }
      const job = this.take()
      if (job !== undefined) {
        idle = 0
        this.runOne(job)
        const another = this.choices.next(4, job.owner.request) === 3 && !done() ? this.takeAnother() : undefined
        if (another !== undefined) {
          this.runOne(another)
        }
        await new Promise<void>((resolve) => void real.setImmediate(resolve))
      } else if (isLate() || ++idle > patience) {
        return false
      } else {
        await new Promise<void>((resolve) => void real.setTimeout(resolve, 1))
      }
    }
    return true
  }

  /** Ends the world. */
  close(): void {
    this.closed = true
    this.jobs.length = 0
    this.timers.clear()
  }
}
