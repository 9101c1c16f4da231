/**
 * How far a test has come, for who waits for thousands of seeds.
 */
import { clearLine, cursorTo } from "node:readline"
import { machineTime } from "../world/clock.js"

// tests that are over before a reader wonders say nothing
const silence = 2_000

/** How often it says something: on a terminal the one line changes, elsewhere each time is a line. */
const interval = (): number => process.stderr.isTTY ? 200 : 10_000

/** Counts seeds, given the steps so far; without them it is done, and takes its line from the terminal. */
export const counter = (seeds: number): (steps?: number) => void => {
  const { isTTY } = process.stderr
  const start = machineTime()
  let done = 0
  let next = start + Math.max(silence, interval())
  let shown = false
  const clear = () => {
    if (isTTY && shown) {
      clearLine(process.stderr, 0)
      cursorTo(process.stderr, 0)
    }
  }
  return (steps) => {
    if (steps === undefined) {
      clear()
      return
    }
    done++
    const now = machineTime()
    if (now >= next && done < seeds) {
      clear()
      shown = true
      next = now + interval()
      const seconds = Math.round((now - start) / 1000)
      process.stderr.write(`isolationTest: ${done} of ${seeds} seeds, ${steps} steps, ${seconds} s${isTTY ? "" : "\n"}`)
    }
  }
}
