/**
 * What requests see: the kit looks at all of it, for the values of others.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as internals from "../internals.js"
import type { AnyFiber } from "../internals.js"
import { Recording } from "../trace/record.js"
import * as stack from "../trace/stack.js"
import { whereAre } from "../trace/where.js"
import { currentOwner, ownerOf } from "../world/owner.js"
import type { Owner } from "../world/owner.js"
import type { Job, Observer } from "../world/schedule.js"
import { Canaries, nameOf } from "./canary.js"
import type { Finding } from "./canary.js"
import type { Setup } from "./options.js"
import type { Failure, Waits } from "./outcome.js"
import { Steps } from "./steps.js"

/** What the requests of one run see. */
export class Watch implements Observer {
  readonly steps: Steps = new Steps()
  readonly recording: Recording = new Recording((fiber) => this.steps.nameOfFiber(fiber))
  failure: Failure | undefined
  private readonly canaries = new Canaries()
  private readonly taken = new Map<number, () => ReadonlyArray<string>>()
  private stores: ReadonlyArray<() => unknown> = []
  constructor(private readonly setup: Setup) {}

  // ---------------------------------------------------------------------------------------------------------------
  // a request and its values
  // ---------------------------------------------------------------------------------------------------------------

  /** Knows a request's values from here on; gives them with an eye on who takes one. */
  add(request: number, values: object): object {
    this.canaries.add(request, values)
    const watched = {}
    for (const [key, value] of Object.entries(values)) {
      Object.defineProperty(watched, key, {
        enumerable: true,
        get: () => {
          this.taken.set(request, stack.here())
          return value
        }
      })
    }
    this.canaries.own(request, watched)
    return watched
  }

  // ---------------------------------------------------------------------------------------------------------------
  // where a request may see something
  // ---------------------------------------------------------------------------------------------------------------

  /** A request saw a value. */
  see(reader: number | undefined, value: unknown, seen: string): void {
    if (reader !== undefined && this.failure === undefined) {
      const finding = this.canaries.search(value, reader)
      if (finding !== undefined) {
        this.found(reader, finding, seen)
      }
    }
  }

  /** A request is done. */
  exited(request: number, exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) {
      this.see(request, exit.value, "in what it returned")
      return
    }
    for (const error of Cause.failures(exit.cause)) {
      this.see(request, error, "in what it failed with")
    }
    for (const defect of Cause.defects(exit.cause)) {
      this.see(request, defect, "in what it failed with")
      this.failure ??= { _tag: "Threw", request, error: defect }
    }
  }

  /** The lines that code logs through Effect. */
  readonly logger: Layer.Layer<never> = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ annotations, cause, message }) =>
      this.see(currentOwner()?.request, { message, annotations, cause }, "in a line that it logged")
    )
  )

  printed(values: ReadonlyArray<unknown>, { request }: Owner): void {
    this.see(request, values, "in a line that it printed")
  }

  step(job: Job): void {
    const { steps, timers } = job.owner.world
    this.steps.add(job, steps, timers.now)
  }

  resumed(fiber: AnyFiber, { request }: Owner): void {
    const { bridge, context } = this.setup
    if (request === undefined || this.failure !== undefined) {
      return
    }
    if (context !== undefined) {
      this.see(request, internals.mapsOf(fiber).get(context.key), `in the context "${context.key}" of its fiber`)
    }
    if (bridge) {
      for (const getStore of this.stores) {
        this.see(request, getStore(), "in a watched AsyncLocalStorage, when its fiber went on")
      }
    }
  }

  /** The run does not go on, and these requests have not ended. */
  stuck(requests: ReadonlyArray<number>, steps: number): void {
    const waits = requests.slice(0, 2).map((request): Waits => {
      // the youngest first: what a request forked, it waits for
      const fibers = this.recording.unfinished.filter(([fiber]) => ownerOf(fiber)?.request === request).toReversed()
      const places = whereAre(fibers.slice(0, 4))
      return {
        request: nameOf(request),
        on: Array.from(new Set(places.flatMap(({ primitives }) => primitives))),
        at: Array.from(new Set(places.flatMap(({ lines }) => lines))),
        woken: this.steps.wakeOf(request)
      }
    })
    this.failure ??= { _tag: "Stuck", requests, steps, waits }
  }

  threw(error: unknown, { request }: Owner): void {
    this.failure ??= { _tag: "Threw", request, error }
  }

  /** Watches the storages; gives the function that stops it. */
  open(): () => void {
    const { storages } = this.setup
    this.stores = storages.map(({ storage }) => storage.getStore.bind(storage))
    storages.forEach(({ storage }, index) => {
      storage.getStore = () => {
        const store = this.stores[index]!()
        this.see(currentOwner()?.request, store, "in what getStore() of a watched AsyncLocalStorage gave")
        return store
      }
    })
    return () => storages.forEach(({ storage }) => Reflect.deleteProperty(storage, "getStore"))
  }

  private found(reader: number, { key, owner, path, value }: Finding, seen: string): void {
    const fiber = internals.currentFiber()
    if (fiber !== undefined && ownerOf(fiber)?.request === reader) {
      this.recording.leak(fiber, nameOf(owner), key, value)
    }
    this.failure = {
      _tag: "Leak",
      requests: [reader, owner],
      leak: {
        reader: nameOf(reader),
        owner: nameOf(owner),
        key,
        value,
        seen: path === "" ? seen : `${seen}, at ${path}`,
        read: stack.here()(),
        taken: this.taken.get(owner)?.() ?? [],
        woken: this.steps.wakeOf(reader)
      }
    }
  }
}
