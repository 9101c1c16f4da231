/**
 * One run: the requests of a plan, through one interleaving, watched.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as compat from "../../compat.js"
import { inEmptyContext } from "../internals.js"
import type { AnyFiber } from "../internals.js"
import * as stack from "../trace/stack.js"
import { allow } from "../world/clock.js"
import * as engine from "../world/engine.js"
import { open } from "../world/open.js"
import { enter, runAs } from "../world/owner.js"
import type { Owner } from "../world/owner.js"
import { givenChoices, perOwner, recorded, seeded, seededChoices } from "../world/random.js"
import { World } from "../world/schedule.js"
import type { Job } from "../world/schedule.js"
import { markOf, nameOf } from "./canary.js"
import { Meeting } from "./meeting.js"
import type { Setup } from "./options.js"
import type { Outcome } from "./outcome.js"
import type { Plan } from "./plan.js"
import type { AnyRequest } from "./request.js"
import { Watch } from "./watch.js"

// who uses chance: each has streams of its own, and those of one shift are far from those of the next
const streams = {
  noise: 3,
  span: 4,
  wait: 1_000,
  around: 500_000,
  arrival: 2_000_000,
  schedule: 3_000_000,
  random: 4_000_000
}
const stride = 2 ** 23

class Run {
  private readonly choices: Array<number> = []
  private readonly watch: Watch
  private readonly world: World
  private readonly meeting = new Meeting()
  private readonly owners = new Map<number, Owner>()
  private readonly started: Array<AnyFiber> = []
  /** The requests that have begun and not ended. */
  private readonly running = new Set<number>()
  private readonly begun: Array<number> = []
  private done = 0
  private fork: engine.Fork | undefined
  private subject: ReturnType<Setup["makeSubject"]> = () => undefined
  private exit: Exit.Exit<void, unknown> | undefined
  private finish: () => void = () => {}

  constructor(private readonly setup: Setup, private readonly plan: Plan) {
    const { choices, explain, seed } = plan
    this.watch = new Watch(setup)
    this.world = new World(
      recorded(
        choices === undefined
          ? seededChoices(perOwner((owner = -1) => this.draws(streams.schedule + owner)))
          : givenChoices(choices),
        this.choices
      ),
      perOwner((owner = -1) => seeded(seed, streams.random + owner)),
      this.watch
    )
    const noise = seeded(seed, streams.noise)
    this.world.extra = () => this.wake(this.meeting.take(noise))
    this.world.explain = explain ? stack.primitive : undefined
  }

  private draws(stream: number) {
    return seeded(this.plan.seed, stream + this.plan.shift * stride)
  }

  private request(index: number): AnyRequest {
    const draws = this.draws(streams.wait + index)
    const named = { id: nameOf(index), index, mark: markOf(index) }
    return {
      ...named,
      values: this.watch.add(index, this.setup.values(named)),
      observe: (value) => {
        this.watch.see(index, value, "in what it observed")
        return value
      },
      wait: Effect.suspend(() => this.meeting.wait(index, draws)),
      waitPromise: () => this.meeting.waitPromise(index, draws)
    }
  }

  private start(index: number, owner: Owner): void {
    const { context, storages } = this.setup
    const request = this.request(index)
    this.running.add(index)
    this.begun.push(index)
    const call = () => {
      const answer = context === undefined
        ? this.subject(request)
        : compat.make(context).run(request.values, () => this.subject(request))
      if (Effect.isEffect(answer)) {
        this.startEffect(index, request, answer as Effect.Effect<unknown, unknown>)
      } else {
        Promise.resolve(answer).then(
          (value) => this.ended(index, Exit.succeed(value)),
          (error) => this.ended(index, Exit.die(error))
        )
      }
    }
    const enter = storages.reduceRight((f, { storage, store }) => () => storage.run(store(request), f), call)
    inEmptyContext(() => runAs(owner, enter))
  }

  private startEffect(index: number, request: AnyRequest, effect: Effect.Effect<unknown, unknown>): void {
    const { context } = this.setup
    const { explain, waiting } = this.plan
    const draws = this.draws(streams.around + index)
    const wait = (times: number) => times === 0 ? Effect.void : Effect.repeatN(request.wait, times - 1)
    const [before, after] = waiting.includes(index) ? [draws.next(3), draws.next(2)] : [0, 0]
    const whole = wait(before).pipe(Effect.zipRight(effect), Effect.zipLeft(wait(after)))
    const attached = context === undefined ? whole : context.provide(request.values)(whole)
    const fiber = this.fork!(explain ? this.watch.recording.record(attached) : attached)
    this.started.push(fiber)
    fiber.addObserver((exit) => this.ended(index, exit))
  }

  private ended(index: number, exit: Exit.Exit<unknown, unknown>): void {
    this.watch.exited(index, exit)
    this.running.delete(index)
    this.done++
  }

  private wake(parked: ReturnType<Meeting["take"]>): Job | undefined {
    const { kit } = this.world
    return parked === undefined ? undefined : {
      run: () => inEmptyContext(() => runAs(kit, () => void this.fork!(parked.wake))),
      owner: this.owners.get(parked.request)!,
      kind: "wake",
      by: kit,
      via: parked.kind,
      fiber: undefined,
      rank: 0
    }
  }

  /** Keeps the layer of the subject while requests run in it. */
  private readonly main: Effect.Effect<void, unknown> = Effect.suspend(() =>
    Effect.flatMap(engine.fork, (fork) => {
      this.fork = fork
      return Effect.async<void>((resume) => {
        this.finish = () => resume(Effect.void)
      })
    }).pipe(
      Effect.provide(this.setup.layer),
      Effect.provide(this.watch.logger),
      Effect.provide(this.setup.bridge ? compat.layer : Layer.empty)
    )
  )

  private arrive(): void {
    const { requests, seed } = this.plan
    const span = [0, 0, 20, 100][seeded(seed, streams.span).next(4)]!
    for (const index of requests) {
      const owner: Owner = { world: this.world, request: index }
      this.owners.set(index, owner)
      const delay = span === 0 ? 0 : seeded(seed, streams.arrival + index).next(span)
      this.world.timers.make(owner, () => this.start(index, owner), delay, "start")
    }
  }

  /** Drives the world until all requests are done, and what they left behind. */
  private async serve(isLate: () => boolean): Promise<void> {
    const { watch, world } = this
    const main = () => {
      this.subject = this.setup.makeSubject()
      engine.runBare(this.main).addObserver((exit) => void (this.exit = exit))
    }
    inEmptyContext(() => runAs(world.kit, main))
    await world.drive(() => this.fork !== undefined || this.exit !== undefined, { isLate })
    if (this.fork === undefined) {
      watch.threw(this.exit ?? new Error("the layer was not built in time"), world.kit)
      return
    }
    this.arrive()
    const isServed = () => this.done === this.plan.requests.length || watch.failure !== undefined
    if (!await world.drive(isServed, { isLate, patience: this.setup.patience })) {
      watch.stuck(Array.from(this.running), world.steps)
    }
    const later = world.timers.now + 60_000
    const isOver = () => watch.failure !== undefined || (world.quiet && (world.timers.next ?? Infinity) > later)
    await world.drive(isOver, { isLate, steps: 5_000 })
  }

  /** Lets a run that found something run out, and has fibers give back what they share with the next run: a permit, a lock. */
  private async end(isLate: () => boolean): Promise<void> {
    const isEnough = allow(100)
    const limits = {
      isLate: () => isLate() && isEnough(),
      steps: 20_000,
      patience: Math.min(this.setup.patience, 100)
    }
    if (this.fork !== undefined && this.watch.failure?._tag !== "Stuck") {
      this.world.timers.dropStarts()
      await this.world.drive(() => this.running.size === 0, limits)
    }
    for (const fiber of this.started.filter((fiber) => !engine.isDone(fiber))) {
      fiber.unsafeInterruptAsFork(fiber.id())
    }
    this.finish()
    await this.world.drive(() => this.exit !== undefined && this.started.every(engine.isDone), limits)
  }

  private outcome(): Outcome {
    const { failure, recording: { trace }, steps: { lines } } = this.watch
    return {
      failure,
      steps: this.world.steps,
      choices: this.choices.slice(),
      begun: this.begun.slice(),
      trace: lines.slice(),
      fibers: trace
    }
  }

  async execute(): Promise<Outcome> {
    await this.setup.reset()
    const isLate = allow(this.setup.limit)
    // what watches comes before what takes over
    const stop = this.plan.explain ? engine.intercept(this.watch.recording) : () => {}
    const closings = [stop, open(), this.watch.open()]
    enter(this.world)
    try {
      await this.serve(isLate)
      const outcome = this.outcome()
      await this.end(isLate)
      return outcome
    } finally {
      this.world.close()
      closings.toReversed().forEach((close) => close())
    }
  }
}

/** Runs a plan. */
export const run = (setup: Setup, plan: Plan): Promise<Outcome> => new Run(setup, plan).execute()
