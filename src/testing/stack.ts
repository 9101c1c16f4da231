/**
 * Where code stands, in the lines of the one who wrote the test.
 */
import { fileURLToPath } from "node:url"

/** The frames of a user's code in the stack of this moment: neither the engine's, nor the runner's, nor ours. */
export const userFrames = (): ReadonlyArray<string> => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 60
  const { stack = "" } = new Error("frames")
  Error.stackTraceLimit = limit
  return stack.split("\n").slice(1).flatMap((line) => {
    const frame = line.trim().replace(/^at (<anonymous> (?=\(.*\)$))?/, "").replace(/^\((.*)\)$/, "$1")
    return isUsers(frame) ? [relative(frame)] : []
  })
}

/** The file and line of the code that called us. */
export const callSite = (): string | undefined => userFrames()[0]

/** Through which primitive of the engine the running code wakes a fiber. */
export const primitive = (): string => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 60
  const { stack = "" } = new Error("primitive")
  Error.stackTraceLimit = limit
  return primitives.find(([trace]) => trace.test(stack))?.[1] ?? "a callback"
}

const primitives: ReadonlyArray<readonly [RegExp, string]> = [
  [/internal\/mailbox\./, "a Mailbox"],
  [/internal\/pubsub\./, "a PubSub"],
  [/internal\/pool\./, "a Pool"],
  [/internal\/stm\//, "STM"],
  [/internal\/queue\./, "a Queue"],
  [/Semaphore|internal\/effect\/circular\./, "a Semaphore"],
  [/deferred/i, "a Deferred"],
  [/unsafeInterruptAsFork|interruptAs/, "an interruption"]
]

const own = new URL("..", import.meta.url)

const ownPath = own.protocol === "file:" ? fileURLToPath(own) : own.pathname

const isUsers = (frame: string): boolean =>
  /:\d+:\d+\)?$/.test(frame) && !/node_modules|node:|\(<anonymous>\)|^native /.test(frame) && !frame.includes(ownPath)

const relative = (frame: string): string =>
  frame.replaceAll(`file://${process.cwd()}/`, "").replaceAll(`${process.cwd()}/`, "")
