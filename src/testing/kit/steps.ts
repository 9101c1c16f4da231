/**
 * The steps of a run, a line each, and who woke whom in them.
 */
import type { AnyFiber } from "../internals.js"
import { ownerOf } from "../world/owner.js"
import type { Owner } from "../world/owner.js"
import type { Job } from "../world/schedule.js"
import { nameOf } from "./canary.js"
import type { Wake } from "./outcome.js"

/** An owner, as a report names it. */
export const nameOfOwner = ({ request }: Owner): string => request === undefined ? "the kit" : nameOf(request)

/** The steps of one run. */
export class Steps {
  readonly lines: Array<string> = []
  private current: Job | undefined
  private readonly wakes = new Map<number, Wake>()
  private readonly fibers = new Map<AnyFiber, string>()

  /** Takes note of a step that begins. */
  add(job: Job, step: number, time: number): void {
    this.current = job
    const { by, kind, owner, via } = job
    if (owner.request !== undefined && kind === "fiber" && by !== undefined && by !== owner) {
      this.wakes.set(owner.request, { by: nameOfOwner(by), via })
    }
    this.lines.push(`${step} ${time}ms ${this.describe(job)}`)
  }

  /** Who made a request go on last: in this very step, where it is another's. */
  wakeOf(reader: number): Wake | undefined {
    const { current } = this
    return current !== undefined && current.kind !== "start" && current.owner.request !== undefined &&
        current.owner.request !== reader
      ? { by: nameOfOwner(current.owner), via: current.via ?? "a shared promise or callback" }
      : this.wakes.get(reader)
  }

  /** A fiber, with its owner. */
  nameOfFiber(fiber: AnyFiber): string {
    const owner = ownerOf(fiber)
    return owner === undefined ? this.number(fiber) : `${nameOfOwner(owner)} ${this.number(fiber)}`
  }

  private number(fiber: AnyFiber): string {
    let name = this.fibers.get(fiber)
    if (name === undefined) {
      name = `#${this.fibers.size + 1}`
      this.fibers.set(fiber, name)
    }
    return name
  }

  private describe({ by, fiber, kind, owner, via }: Job): string {
    const whose = nameOfOwner(owner)
    const through = via === undefined ? "" : ` through ${via}`
    const woken = by === undefined || by === owner ? "" : `, woken by ${nameOfOwner(by)}${through}`
    switch (kind) {
      case "fiber": {
        return `${whose} runs fiber ${this.number(fiber!)}${woken}`
      }
      case "task": {
        return `${whose} runs a task${woken}`
      }
      case "timer": {
        return `a timer of ${whose} fires`
      }
      case "start": {
        return `${whose} starts`
      }
      case "wake": {
        return `the kit wakes ${whose} through ${via}`
      }
    }
  }
}
