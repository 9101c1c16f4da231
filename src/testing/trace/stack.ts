/**
 * Where code stands, in the lines of the one who wrote the test.
 *
 * Which frames are a user's, the code as it runs says: the names that source maps give may be anything. What is shown is
 * what the runtime, or who took its place (a loader, a test runner), makes of the same frames.
 */
import { isAbsolute, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import * as util from "node:util"

interface Frame {
  readonly functionName: string
  readonly file: string
}

// newer than the oldest Node that the kit runs on
const { getCallSites } = util as {
  readonly getCallSites?: (
    frames: number
  ) => ReadonlyArray<{ readonly functionName: string; readonly scriptName: string }>
}

const depth = 60

const unmapped = (error: Error): ReadonlyArray<Frame> | undefined => {
  const { prepareStackTrace } = Error
  Error.prepareStackTrace = (_, sites) =>
    sites.map((site) => ({ functionName: site.getFunctionName() ?? "", file: site.getFileName() ?? "" }))
  const frames: unknown = error.stack
  Error.prepareStackTrace = prepareStackTrace
  return Array.isArray(frames) ? frames : undefined
}

interface Moment {
  readonly frames: () => ReadonlyArray<Frame> | undefined
  readonly lines: () => ReadonlyArray<string>
}

// an error's stack becomes text when it is first read, which costs far more than to make it
const moment = (): Moment => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = depth
  const sites = getCallSites?.(depth)
  const [first, second] = [new Error(), new Error()]
  Error.stackTraceLimit = limit
  return {
    frames: () => sites?.map(({ functionName, scriptName }) => ({ functionName, file: scriptName })) ?? unmapped(first),
    lines: () => (second.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))
  }
}

/** Takes note of where code stands; what it gives says so: the frames of a user's code, the innermost first. */
export const here = (): () => ReadonlyArray<string> => {
  const { frames, lines } = moment()
  return () => {
    const running = frames()
    const shown = lines()
    return shown.flatMap((line, index) => {
      const place = placeOf(line)
      const frame = running?.length === shown.length ? running[index]! : { functionName: "", file: place ?? "" }
      return place === undefined || !isUsers(frame.file) || !isUsers(place)
        ? []
        // a name with a dot is what the engine thinks that a function without one may be called
        : [/^[^.]+$/.test(frame.functionName) ? `${frame.functionName} (${place})` : place]
    })
  }
}

/** The file and line of the code that called us. */
export const callSite = (): string | undefined => here()()[0]

/** Through which primitive of the engine the running code wakes a fiber. */
export const primitive = (): string => {
  const stack = moment().frames()?.map(({ file, functionName }) => `${functionName} ${file}`).join("\n") ?? ""
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

// in a bundle, a file of ours is everybody's
const own = /\/testing\/trace\/stack\.[jt]s/.test(import.meta.url)
  ? pathOf(new URL("../..", import.meta.url).href)
  : "//"

/** A file's path, however it is named. */
export function pathOf(name: string): string {
  return name.startsWith("file:") ? fileURLToPath(name) : name
}

/** Whether a file is a user's: neither the engine's, nor the runner's, nor ours. */
export const isUsers = (file: string): boolean =>
  file !== "" && !/[\\/]node_modules[\\/]|^node:|^internal\/|^\[|^</.test(file) && !pathOf(file).startsWith(own)

const placeOf = (line: string): string | undefined => {
  const [, name, position] = /([^\s(]+?|\/.*?)((?::\d+){1,2})\)?$/.exec(line.trim().replace(/^at (.* \()?/, "")) ?? []
  if (name === undefined || position === undefined) {
    return undefined
  }
  return `${shortPath(pathOf(name))}${position}`
}

/** A path as it is read in a message: from the folder that the process runs in. */
export const shortPath = (path: string): string => {
  const short = isAbsolute(path) ? relative(process.cwd(), path) : path
  return short.startsWith("..") ? path : short.split(sep).join("/")
}
