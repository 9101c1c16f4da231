/**
 * One run: the requests of a plan, through one interleaving, watched.
 */
import * as async from "#async"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as compat from "../compat.js"
import type * as Context from "../Context.js"
import { allEntries, isAttachment } from "../internal/attachment.js"
import * as engine from "../internal/engine.js"
import * as specs from "../internal/spec.js"
import { Canaries, markOf, nameOf } from "./canary.js"
import type { Finding } from "./canary.js"
import { Meeting } from "./meeting.js"
import type { Parked } from "./meeting.js"
import { given, recorded, seeded } from "./random.js"
import type { Draws } from "./random.js"
import * as stack from "./stack.js"
import { Recording } from "./trace.js"
import type { Trace } from "./trace.js"
import * as worlds from "./world.js"
import type { Job, Owner } from "./world.js"

/** What a subject is given: a request with values that no other request has. */
export interface TestRequest<Values> {
  /** The request's name in reports, such as `r7`. */
  readonly id: string
  /** The request's number, from 0. */
  readonly index: number
  /** What the request's own strings contain, such as `~r7~`: a string with another's mark is another's value. */
  readonly mark: string
  /** The request's values. */
  readonly values: Values
  /** Looks at a value that the code under test has here, and gives it back. A leak found here names this line. */
  readonly observe: <A>(value: A) => A
  /** Suspends, in a primitive that the seed picks, until another request or the kit wakes it. */
  readonly wait: Effect.Effect<void>
  /** The same for promise code. */
  readonly waitPromise: () => Promise<void>
}

// A subject takes the values of its own type: `any` is what all of them take.
export type AnyRequest = TestRequest<any>

/** An `AsyncLocalStorage`, of whatever library. */
export interface Storage<A> {
  /** What the running code is in. */
  getStore(): A | undefined
  /** Runs a function in a store. */
  run<B>(store: A, f: () => B): B
}

/** A storage to watch, and what a request enters it with. */
export interface Watched {
  readonly storage: Storage<unknown>
  readonly store: (request: AnyRequest) => unknown
}

/** What to run. */
export interface Setup {
  readonly subject: (request: AnyRequest) => unknown
  readonly context: Context.TagClass<any, string, any> | undefined
  readonly storages: ReadonlyArray<Watched>
  readonly values: (request: { readonly id: string; readonly index: number; readonly mark: string }) => object
  readonly layer: Layer.Layer<any, any, never>
  readonly bridge: boolean
  readonly reset: () => unknown
  readonly limit: number
  /** How often a run may have nothing to do, a millisecond apart. */
  readonly patience: number
}

/** Which requests to run, and in what order. */
export interface Plan {
  readonly seed: number
  readonly requests: ReadonlyArray<number>
  /** The requests that wait for others before and after the subject. */
  readonly waiting: ReadonlyArray<number>
  /** Another schedule for the same seed: that of fewer requests is another one anyway. */
  readonly shift: number
  /** The schedule, choice by choice; without it the seed's. */
  readonly choices: ReadonlyArray<number> | undefined
  /** Whether to note where things happen, which costs time. */
  readonly explain: boolean
}

/** A value that a request saw and that is another's. */
export interface Leak {
  readonly reader: string
  readonly owner: string
  readonly key: string
  readonly value: unknown
  /** How it was seen. */
  readonly seen: string
  /** Where the read stands, the innermost call first. */
  readonly read: ReadonlyArray<string>
  /** Where the owner's code took the value from the request. */
  readonly taken: ReadonlyArray<string>
  /** Who woke the reader last, and through what. */
  readonly woken: { readonly by: string; readonly via: string | undefined } | undefined
}

/** How a run went wrong. */
export type Failure =
  | { readonly _tag: "Leak"; readonly leak: Leak; readonly requests: readonly [reader: number, owner: number] }
  | { readonly _tag: "Threw"; readonly request: number | undefined; readonly error: unknown }
  | { readonly _tag: "Stuck"; readonly requests: ReadonlyArray<number>; readonly steps: number }

/** How a run went. */
export interface Outcome {
  readonly failure: Failure | undefined
  readonly steps: number
  readonly choices: ReadonlyArray<number>
  readonly trace: ReadonlyArray<string>
  /** What happened to the fibers of the requests, where the plan asks for it. */
  readonly fibers: Trace
}

// the streams of one shift are far from those of the next
const stride = 2 ** 23

// on Node 20 the context itself keeps what code enters that runs in it, so each gets a fresh one
const inEmptyContext = <A>(f: () => A): A => async.root.runInAsyncScope(async.capture).runInAsyncScope(f)

interface Wake {
  readonly by: Owner
  readonly via: string | undefined
}

class Run implements worlds.Observer {
  readonly schedule: Array<number> = []
  readonly world: worlds.World
  readonly meeting = new Meeting()
  readonly canaries = new Canaries()
  readonly trace: Array<string> = []
  readonly owners = new Map<number, Owner>()
  readonly wakes = new Map<number, Wake>()
  readonly fibers = new Map<engine.AnyFiber, string>()
  readonly started: Array<engine.AnyFiber> = []
  readonly unfinished: Set<number>
  readonly taken = new Map<number, ReadonlyArray<string>>()
  readonly recording = new Recording((fiber) => {
    const owner = worlds.ownerOf(fiber)
    return owner === undefined ? this.number(fiber) : `${this.name(owner)} ${this.number(fiber)}`
  })
  failure: Failure | undefined
  state: engine.State | undefined
  finish: () => void = () => {}
  current: Job | undefined
  private readonly noise: Draws

  constructor(readonly setup: Setup, readonly plan: Plan) {
    const { choices, seed, shift } = plan
    this.world = new worlds.World(
      recorded(choices === undefined ? seeded(seed, 1 + shift * stride) : given(choices), this.schedule),
      seeded(seed, 2),
      this
    )
    this.noise = seeded(seed, 3)
    this.unfinished = new Set(plan.requests)
    this.world.extra = () => this.wake()
    if (plan.explain) {
      this.world.explain = stack.primitive
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what the world tells
  // ---------------------------------------------------------------------------------------------------------------

  step(job: Job): void {
    this.current = job
    const { request } = job.owner
    if (request !== undefined && job.kind === "fiber" && job.by !== undefined && job.by !== job.owner) {
      this.wakes.set(request, { by: job.by, via: job.via })
    }
    this.trace.push(`${this.world.steps} ${this.world.now}ms ${this.describe(job)}`)
  }

  private describe(job: Job): string {
    const whose = this.name(job.owner)
    const through = job.via === undefined ? "" : ` through ${job.via}`
    const by = job.by === undefined || job.by === job.owner ? "" : `, woken by ${this.name(job.by)}${through}`
    switch (job.kind) {
      case "fiber": {
        return `${whose} runs fiber ${this.number(job.fiber!)}${by}`
      }
      case "task": {
        return `${whose} runs a task${by}`
      }
      case "timer": {
        return `a timer of ${whose} fires`
      }
      case "start": {
        return `${whose} starts`
      }
      case "wake": {
        return `the kit wakes ${whose} through ${job.via}`
      }
    }
  }

  private name(owner: Owner): string {
    return owner.request === undefined ? "the kit" : nameOf(owner.request)
  }

  private number(fiber: engine.AnyFiber): string {
    let name = this.fibers.get(fiber)
    if (name === undefined) {
      name = `#${this.fibers.size + 1}`
      this.fibers.set(fiber, name)
    }
    return name
  }

  resumed(fiber: engine.AnyFiber, owner: Owner): void {
    const { request } = owner
    if (request === undefined || this.failure !== undefined) {
      return
    }
    const { bridge, context } = this.setup
    if (context !== undefined) {
      const attachment = engine.serviceOfFiber(fiber, context.key)
      if (isAttachment(attachment)) {
        const value = engine.valueOfFiber(fiber, specs.specOf(context).ref)
        this.check(request, () => allEntries(value, attachment), `in the context "${context.key}" of its fiber`)
      }
    }
    if (bridge) {
      for (const { getStore } of this.watchedReads) {
        this.check(request, getStore, "in a watched AsyncLocalStorage, when its fiber went on")
      }
    }
  }

  threw(error: unknown, owner: Owner): void {
    this.failure ??= { _tag: "Threw", request: owner.request, error }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // what a request sees
  // ---------------------------------------------------------------------------------------------------------------

  watchedReads: ReadonlyArray<{ readonly getStore: () => unknown }> = []

  private check(reader: number, value: () => unknown, seen: string): void {
    const finding = this.canaries.search(value(), reader)
    if (finding !== undefined) {
      this.found(reader, finding, seen)
    }
  }

  see(reader: number | undefined, value: unknown, seen: string): void {
    if (reader !== undefined && this.failure === undefined) {
      this.check(reader, () => value, seen)
    }
  }

  private found(reader: number, finding: Finding, seen: string): void {
    const wake = this.wakeOf(reader)
    const fiber = engine.currentFiber()
    if (this.plan.explain && fiber !== undefined && worlds.ownerOf(fiber)?.request === reader) {
      this.recording.leak(fiber, nameOf(finding.owner), finding.key, finding.value)
    }
    this.failure = {
      _tag: "Leak",
      requests: [reader, finding.owner],
      leak: {
        reader: nameOf(reader),
        owner: nameOf(finding.owner),
        key: finding.key,
        value: finding.value,
        seen: finding.path === "" ? seen : `${seen}, at ${finding.path}`,
        read: this.plan.explain ? stack.userFrames() : [],
        taken: this.taken.get(finding.owner) ?? [],
        woken: wake === undefined ? undefined : { by: this.name(wake.by), via: wake.via }
      }
    }
  }

  private wakeOf(reader: number): Wake | undefined {
    const root = this.current
    return root !== undefined && root.kind !== "start" && root.owner.request !== reader &&
        root.owner.request !== undefined
      ? { by: root.owner, via: root.via ?? "a shared promise or callback" }
      : this.wakes.get(reader)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // requests
  // ---------------------------------------------------------------------------------------------------------------

  private request(index: number): AnyRequest {
    const draws = seeded(this.plan.seed, 1_000 + index + this.plan.shift * stride)
    const named = { id: nameOf(index), index, mark: markOf(index) }
    const values = this.setup.values(named)
    this.canaries.add(index, values)
    return {
      ...named,
      values: this.plan.explain ? this.watchTaking(index, values) : values,
      observe: (value) => {
        this.see(index, value, "in what it observed")
        return value
      },
      wait: Effect.suspend(() => this.meeting.wait(index, draws)),
      waitPromise: () => this.meeting.waitPromise(index, draws)
    }
  }

  private watchTaking(index: number, values: object): object {
    const watched = {}
    for (const [key, value] of Object.entries(values)) {
      Object.defineProperty(watched, key, {
        enumerable: true,
        get: () => {
          const frames = stack.userFrames()
          if (frames.length > 0) {
            this.taken.set(index, frames)
          }
          return value
        }
      })
    }
    this.canaries.own(index, watched)
    return watched
  }

  private start(index: number, owner: Owner): void {
    const { context, storages, subject } = this.setup
    const draws = seeded(this.plan.seed, 500_000 + index + this.plan.shift * stride)
    const waits = this.plan.waiting.includes(index)
    const before = waits ? draws.next(3) : 0
    const after = waits ? draws.next(2) : 0
    const request = this.request(index)
    const enter = storages.reduceRight<() => void>(
      (f, { storage, store }) => () => storage.run(store(request), f),
      () => {
        const call = () => subject(request)
        const answer = context === undefined ? call() : compat.make(context).run(request.values, call)
        if (!Effect.isEffect(answer)) {
          Promise.resolve(answer).then(
            (value) => this.ended(index, () => this.see(index, value, "in what it returned")),
            (error) => this.ended(index, () => this.rejected(index, error))
          )
          return
        }
        const effect = answer as Effect.Effect<unknown, unknown>
        const repeated = (times: number) => Effect.repeatN(request.wait, times - 1)
        const whole = Effect.zipRight(
          before === 0 ? Effect.void : repeated(before),
          after === 0 ? effect : Effect.zipLeft(effect, repeated(after))
        )
        this.fork(index, context === undefined ? whole : context.provide(request.values)(whole))
      }
    )
    inEmptyContext(() => worlds.runAs(owner, enter))
  }

  private fork(index: number, effect: Effect.Effect<unknown, unknown>): void {
    const recorded = engine.withFiber((fiber) => {
      this.recording.begin(fiber)
      return engine.withRecorder(effect, this.recording)
    })
    const fiber = engine.runFork(this.state!, this.plan.explain ? recorded : effect)
    this.started.push(fiber)
    fiber.addObserver((exit) => this.ended(index, () => this.exited(index, exit)))
  }

  private ended(index: number, look: () => void): void {
    look()
    this.unfinished.delete(index)
  }

  private exited(index: number, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      this.see(index, exit.value, "in what it returned")
      return
    }
    for (const error of Cause.failures(exit.cause)) {
      this.see(index, error, "in what it failed with")
    }
    for (const defect of Cause.defects(exit.cause)) {
      this.rejected(index, defect)
    }
  }

  private rejected(index: number, error: unknown): void {
    this.see(index, error, "in what it failed with")
    this.failure ??= { _tag: "Threw", request: index, error }
  }

  private wake(): Job | undefined {
    const parked = this.meeting.take(this.noise)
    return parked === undefined ? undefined : {
      run: () => this.wakeNow(parked),
      owner: this.owners.get(parked.request)!,
      kind: "wake",
      by: this.world.kit,
      via: parked.kind,
      fiber: undefined
    }
  }

  private wakeNow(parked: Parked): void {
    inEmptyContext(() =>
      worlds.runAs(this.world.kit, () => {
        engine.runFork(this.state!, parked.wake)
      })
    )
  }

  // ---------------------------------------------------------------------------------------------------------------
  // the run
  // ---------------------------------------------------------------------------------------------------------------

  private main(): Effect.Effect<void, unknown> {
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ annotations, cause, message }) =>
        this.see(worlds.currentOwner()?.request, { message, annotations, cause }, "in a line that it logged")
      )
    )
    const wait = engine.withFiber((fiber) => {
      this.state = engine.stateOf(fiber)
      return Effect.async<void>((resume) => {
        this.finish = () => resume(Effect.void)
      })
    })
    return wait.pipe(
      Effect.provide(this.setup.layer),
      Effect.provide(logger),
      Effect.provide(this.setup.bridge ? compat.layer : Layer.empty),
      Effect.withRandom(Random.make(this.plan.seed))
    )
  }

  private watchReads(): () => void {
    const restores = this.setup.storages.map(({ storage }) => {
      const getStore = storage.getStore
      storage.getStore = () => {
        const store = getStore.call(storage)
        this.see(worlds.currentOwner()?.request, store, "in what getStore() of a watched AsyncLocalStorage gave")
        return store
      }
      return () => Reflect.deleteProperty(storage, "getStore")
    })
    return () => restores.forEach((restore) => restore())
  }

  private readonly printed = (owner: Owner, values: ReadonlyArray<unknown>): void => {
    if (owner.world === this.world) {
      this.see(owner.request, values, "in a line that it printed")
    }
  }

  async execute(): Promise<Outcome> {
    const { limit, patience, reset, storages } = this.setup
    const { seed, requests } = this.plan
    await reset()
    const deadline = worlds.machineTime() + limit
    const unrecord = this.plan.explain ? engine.intercept(this.recording) : () => {}
    const close = worlds.open()
    this.watchedReads = storages.map(({ storage }) => {
      const getStore = storage.getStore
      return { getStore: () => getStore.call(storage) }
    })
    const unwatch = this.watchReads()
    worlds.printed.add(this.printed)
    try {
      let exit: Exit.Exit<void, unknown> | undefined
      inEmptyContext(() =>
        worlds.runAs(this.world.kit, () => {
          Effect.runFork(this.main()).addObserver((done) => void (exit = done))
        })
      )
      await this.world.drive(() => this.state !== undefined || exit !== undefined, deadline)
      if (this.state === undefined) {
        this.failure ??= {
          _tag: "Threw",
          request: undefined,
          error: exit ?? new Error("the layer was not built in time")
        }
        return this.outcome()
      }
      const arrivals = seeded(seed, 4)
      const span = [0, 0, 20, 100][arrivals.next(4)]!
      for (const index of requests) {
        const owner: Owner = { world: this.world, request: index }
        this.owners.set(index, owner)
        const delay = span === 0 ? 0 : seeded(seed, 2_000_000 + index).next(span)
        this.world.startAt(delay, () => this.start(index, owner), owner)
      }
      const done = await this.world.drive(
        () => this.unfinished.size === 0 || this.failure !== undefined,
        deadline,
        Infinity,
        patience
      )
      if (!done && this.failure === undefined) {
        this.failure = { _tag: "Stuck", requests: Array.from(this.unfinished), steps: this.world.steps }
      }
      // what a request left behind comes as well
      const leftOver = this.world.now + 60_000
      await this.world.drive(
        () =>
          this.failure !== undefined ||
          (this.world.quiet && (this.world.nextTimer === undefined || this.world.nextTimer > leftOver)),
        deadline,
        5_000
      )
      const outcome = this.outcome()
      for (const fiber of this.started) {
        if (!engine.isDone(fiber)) {
          fiber.unsafeInterruptAsFork(fiber.id())
        }
      }
      this.finish()
      // what they hold and share with the next run (a permit, a lock) is given back before the world ends
      await this.world.drive(
        () => exit !== undefined && this.started.every(engine.isDone),
        Math.max(deadline, worlds.machineTime() + 100),
        20_000,
        Math.min(patience, 100)
      )
      return outcome
    } finally {
      this.world.close()
      worlds.printed.delete(this.printed)
      unwatch()
      close()
      unrecord()
    }
  }

  private outcome(): Outcome {
    return {
      failure: this.failure,
      steps: this.world.steps,
      choices: this.schedule.slice(),
      trace: this.trace.slice(),
      fibers: this.recording.trace
    }
  }
}

/** Runs a plan. */
export const run = (setup: Setup, plan: Plan): Promise<Outcome> => new Run(setup, plan).execute()
