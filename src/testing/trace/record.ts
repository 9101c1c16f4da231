/**
 * The trace of a run: what happened to its fibers and to their context maps, in order.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as internals from "../internals.js"
import type { AnyFiber, Entries } from "../internals.js"
import * as engine from "../world/engine.js"
import { lineOf } from "./event.js"
import type { TraceEvent } from "./event.js"
import { mermaidOf } from "./mermaid.js"
import type { Waiting } from "./where.js"

/**
 * A recorded run.
 *
 * @since 1.0.0
 * @category models
 */
export interface Trace {
  /** The fibers, in the order of their start. */
  readonly fibers: ReadonlyArray<string>
  readonly events: ReadonlyArray<TraceEvent>
  /** The events, a line each. */
  readonly text: string
  /** The run as a Mermaid sequence diagram, one lane a fiber: text that draws itself in a pull request. */
  readonly mermaid: string
}

/**
 * A run and its trace.
 *
 * @since 1.0.0
 * @category models
 */
export interface Traced<A, E> {
  readonly exit: Exit.Exit<A, E>
  readonly trace: Trace
}

type Maps = ReadonlyMap<string, Entries>

const noMaps: Maps = new Map()

interface Lane {
  readonly name: string
  state: unknown
  maps: Maps
  ran: boolean
  ended: boolean
  async: object | undefined
  commits: ReadonlyArray<unknown>
}

/** Writes a trace. */
export class Recording implements engine.Recorder, engine.Interceptor {
  readonly events: Array<TraceEvent> = []
  private readonly lanes = new Map<AnyFiber, Lane>()
  private readonly wakers = new Map<AnyFiber, AnyFiber>()
  constructor(readonly nameOf: (fiber: AnyFiber, index: number) => string) {}

  private lane(fiber: AnyFiber): Lane {
    let lane = this.lanes.get(fiber)
    if (lane === undefined) {
      lane = {
        name: this.nameOf(fiber, this.lanes.size + 1),
        state: undefined,
        maps: noMaps,
        ran: false,
        ended: false,
        async: undefined,
        commits: []
      }
      this.lanes.set(fiber, lane)
    }
    return lane
  }

  /** Records what happens to the fiber that runs an effect, and to all that the effect starts. */
  record<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.withFiberRuntime((fiber) => {
      this.begin(fiber).ran = true
      return engine.withRecorder(effect, this)
    })
  }

  private begin(fiber: AnyFiber): Lane {
    const lane = this.lane(fiber)
    lane.state = internals.stateOf(fiber)
    lane.maps = internals.mapsOf(fiber)
    return lane
  }

  start(fiber: AnyFiber, parent: AnyFiber | undefined): void {
    const lane = this.begin(fiber)
    if (parent !== undefined && this.lanes.has(parent)) {
      this.look(parent)
    }
    this.events.push({
      kind: "fork",
      fiber: lane.name,
      ...(parent === undefined || !this.lanes.has(parent) ? {} : { other: this.lane(parent).name })
    })
  }

  end(fiber: AnyFiber): void {
    this.look(fiber)
    const lane = this.lane(fiber)
    lane.ended = true
    this.events.push({ kind: "end", fiber: lane.name })
  }

  resume(fiber: AnyFiber): void {
    const lane = this.lane(fiber)
    // its parent's fork is what a fiber runs after first
    const waker = lane.ran ? this.wakers.get(fiber) : undefined
    lane.ran = true
    this.wakers.delete(fiber)
    this.events.push({
      kind: "resume",
      fiber: lane.name,
      ...(waker === undefined || waker === fiber || !this.lanes.has(waker) ? {} : { other: this.lane(waker).name })
    })
    this.look(fiber)
  }

  suspend(fiber: AnyFiber): void {
    if (!this.lane(fiber).ended) {
      this.look(fiber)
      this.events.push({ kind: "suspend", fiber: this.lane(fiber).name })
    }
  }

  operation(fiber: AnyFiber, effect: Effect.Effect<unknown, unknown>): void {
    this.look(fiber)
    const operation = effect as unknown as { readonly _op: string; readonly effect_instruction_i0: unknown }
    if (operation._op === "Async") {
      this.lane(fiber).async = operation
    } else if (operation._op === "Commit") {
      const lane = this.lane(fiber)
      lane.commits = [operation.effect_instruction_i0, ...lane.commits.slice(0, 3)]
    }
  }

  /** The fibers that have not ended, with what they wait on. */
  get unfinished(): ReadonlyArray<readonly [fiber: AnyFiber, waiting: Waiting]> {
    return Array.from(this.lanes).filter(([, { ended }]) => !ended)
  }

  join(fiber: AnyFiber, child: AnyFiber): void {
    this.events.push({ kind: "join", fiber: this.lane(fiber).name, other: this.lane(child).name })
  }

  /** The fiber has just seen a value of another request. */
  leak(fiber: AnyFiber, other: string, key: string, value: unknown): void {
    this.look(fiber)
    this.events.push({ kind: "leak", fiber: this.lane(fiber).name, other, key, value })
  }

  shouldYield(): boolean {
    return false
  }

  scheduleTask(_task: () => void, fiber: AnyFiber | undefined): boolean {
    const waker = internals.currentFiber()
    if (fiber !== undefined && waker !== undefined) {
      this.wakers.set(fiber, waker)
    }
    return false
  }

  private look(fiber: AnyFiber): void {
    const lane = this.lane(fiber)
    const state = internals.stateOf(fiber)
    if (lane.state === state) {
      return
    }
    const before = lane.maps
    lane.state = state
    lane.maps = internals.mapsOf(fiber)
    for (const [context, entries] of lane.maps) {
      const former = before.get(context)
      if (former === undefined) {
        this.events.push({ kind: "attach", fiber: lane.name, context, value: Object.fromEntries(entries) })
      } else if (former !== entries) {
        this.compare(lane.name, context, former, entries)
      }
    }
    for (const context of before.keys()) {
      if (!lane.maps.has(context)) {
        this.events.push({ kind: "detach", fiber: lane.name, context })
      }
    }
  }

  private compare(fiber: string, context: string, before: Entries, after: Entries): void {
    for (const [key, value] of after) {
      const former = HashMap.get(before, key)
      if (Option.isNone(former) || !Object.is(former.value, value)) {
        this.events.push({ kind: "set", fiber, context, key, value })
      }
    }
    for (const key of HashMap.keys(before)) {
      if (!HashMap.has(after, key)) {
        this.events.push({ kind: "delete", fiber, context, key })
      }
    }
  }

  get trace(): Trace {
    const fibers = Array.from(this.lanes.values(), ({ name }) => name)
    const events = this.events.slice()
    return {
      fibers,
      events,
      text: events.map(lineOf).join("\n"),
      mermaid: mermaidOf(fibers, events)
    }
  }
}

/**
 * Runs an effect and records what happens to its fibers: attach, fork, join, set, suspend, resume. Costs a look at the
 * context maps before every operation, so it is for tests and for finding out.
 *
 * @since 1.0.0
 * @category testing
 */
export const trace = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Traced<A, E>, never, R> =>
  Effect.suspend(() => {
    const recording = new Recording((_, index) => `#${index}`)
    const stop = engine.intercept(recording)
    return recording.record(Effect.exit(effect)).pipe(
      Effect.ensuring(Effect.sync(stop)),
      Effect.map((exit) => ({ exit, trace: recording.trace }))
    )
  })
