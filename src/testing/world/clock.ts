/**
 * The clock and the chance that code in a world meets: `Date`, `performance.now`, `Math.random` and Effect's `Random`.
 */
import * as Effect from "effect/Effect"
import { currentOwner, currentWorld } from "./owner.js"
import { swap } from "./swap.js"

const { Date: RealDate, performance: { now: realNow } } = globalThis
const realRandom = Math.random

// what every run's clock starts with
const epoch = RealDate.UTC(2000, 0, 1)

/** The time of the machine, whatever the running code sees. */
export const machineTime = (): number => realNow.call(performance)

/**
 * Takes so many milliseconds from here on; says whether they are over. Time that a busy machine gives to other processes
 * does not count, and neither does the work of other threads.
 */
export const allow = (millis: number): () => boolean => {
  const start = machineTime()
  const before = process.cpuUsage()
  return () => {
    if (machineTime() - start < millis) {
      return false
    }
    const { system, user } = process.cpuUsage(before)
    return (system + user) / 1_000 >= millis
  }
}

const worldTime = (): number | undefined => {
  const world = currentWorld()
  return world && epoch + world.timers.now
}

class WorldDate extends RealDate {
  constructor(...args: [] | [value: number]) {
    const now = args.length === 0 ? worldTime() : undefined
    if (now === undefined) {
      super(...args as [number])
    } else {
      super(now)
    }
  }

  static override now(): number {
    return worldTime() ?? RealDate.now()
  }
}

const worldRandom = (): number => {
  const owner = currentOwner()
  return owner?.world.random(owner) ?? realRandom()
}

// one service for all of Effect, with a generator that it seeds when the module loads
const service: object = /* @__PURE__ */ Effect.runSync(Effect.random)
const generator: unknown = /* @__PURE__ */ Reflect.get(service, "PRNG")

/** Puts the world's clock in the place of the machine's; gives the function that puts that back. */
export const fakeClock = (): () => void => {
  swap(globalThis, { Date: WorldDate })
  swap(performance, { now: () => currentWorld()?.timers.now ?? machineTime() })
  swap(Math, { random: worldRandom })
  swap(service, {
    PRNG: { number: worldRandom, integer: (bound: number) => Math.floor(worldRandom() * bound) }
  })
  return () => {
    swap(globalThis, { Date: RealDate })
    Reflect.deleteProperty(performance, "now")
    swap(Math, { random: realRandom })
    swap(service, { PRNG: generator })
  }
}
