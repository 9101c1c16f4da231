/**
 * The clock and the chance that code in a world meets: `Date`, `performance.now` and `Math.random`.
 */
import { currentWorld } from "./owner.js"
import { swap } from "./swap.js"

const { Date: RealDate, performance: { now: realNow } } = globalThis
const realRandom = Math.random

// what every run's clock starts with
const epoch = RealDate.UTC(2000, 0, 1)

/** The time of the machine, whatever the running code sees. */
export const machineTime = (): number => realNow.call(performance)

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

/** Puts the world's clock in the place of the machine's; gives the function that puts that back. */
export const fakeClock = (): () => void => {
  swap(globalThis, { Date: WorldDate })
  swap(performance, { now: () => currentWorld()?.timers.now ?? machineTime() })
  swap(Math, { random: () => currentWorld()?.random() ?? realRandom() })
  return () => {
    swap(globalThis, { Date: RealDate })
    Reflect.deleteProperty(performance, "now")
    swap(Math, { random: realRandom })
  }
}
