/**
 * Where a suspended fiber stands: in which of the engine's primitives, and in which lines of a user's generators.
 *
 * The stack of a suspended fiber is a list of functions and generators. Where those stand, the JavaScript engine tells
 * its debugger; Node lets a process ask on its own behalf. Elsewhere nothing is known, and nothing is said.
 */
import { findSourceMap, SourceMap } from "node:module"
import { basename } from "node:path"
import type { AnyFiber } from "../internals.js"
import { Debugger } from "./debugger.js"
import type { Place } from "./debugger.js"
import { isUsers, pathOf, shortPath } from "./stack.js"

/** What a fiber waits on. */
export interface Suspended {
  /** The primitives of the engine, the innermost first, such as `a Semaphore` and `a Pool`. */
  readonly primitives: ReadonlyArray<string>
  /** The lines of the user's generators, the innermost first. */
  readonly lines: ReadonlyArray<string>
}

/** What a fiber has begun to do last, as far as it tells where it waits. */
export interface Waiting {
  /** The operation that suspended it. */
  readonly async: object | undefined
  /** What its last operations were made from, the last first: a callback's registration among them. */
  readonly commits: ReadonlyArray<unknown>
}

/** A place in a user's file, as the source that it was made from has it. */
const lineOf = ({ column, line, script: { sourceMapURL = "", url } }: Place): string => {
  const inline = /^data:application\/json[^,]*;base64,(.*)$/.exec(sourceMapURL)?.[1]
  const map = inline === undefined
    ? findSourceMap(pathOf(url))
    : new SourceMap(JSON.parse(Buffer.from(inline, "base64").toString()))
  const entry = map?.findEntry(line, column)
  return entry !== undefined && "originalLine" in entry
    ? `${shortPath(pathOf(url))}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
    : `${shortPath(pathOf(url))}:${line + 1}:${column + 1}`
}

const primitives: ReadonlyArray<readonly [place: RegExp, name: string]> = [
  [/^keyedPool\./, "a KeyedPool"],
  [/^pool\./, "a Pool"],
  [/^mailbox\./, "a Mailbox"],
  [/^pubsub\./, "a PubSub"],
  [/^queue\./, "a Queue"],
  [/^rcMap\./, "an RcMap"],
  [/^rcRef\./, "an RcRef"],
  [/^scopedCache\./, "a ScopedCache"],
  [/^cache\./, "a Cache"],
  [/^tReentrantLock\./, "a TReentrantLock"],
  [/^(core|stm|t[A-Z]\w+)\. .*(stm|commit|suspendTransaction)/i, "STM"],
  [/^query\./, "a batch of requests"],
  [/^circular\. Semaphore/, "a Semaphore"],
  [/^circular\. Latch/, "a Latch"],
  [/^fiberRuntime\. forEach/, "a concurrent forEach"],
  [/^fiberRuntime\. .*race/i, "a race"],
  [/^fiber(Runtime)?\. .*(join|await)/i, "another fiber"],
  [/^(core|deferred)\. .*deferred/i, "a Deferred"],
  [/^core\. never/, "Effect.never"],
  [/^clock\./, "a timer"]
]

const primitiveOf = (debug: Debugger, place: Place): string | undefined => {
  const where = `${basename(place.script.url).replace(/\.[jt]s$/, ".")} ${debug.declarationOf(place)}`
  return primitives.find(([pattern]) => pattern.test(where))?.[1]
}

const isEngine = ({ script: { url } }: Place): boolean => /[\\/]effect[\\/](dist|src)[\\/]/.test(url)

interface Frames {
  readonly _stack: ReadonlyArray<Readonly<Record<string, unknown>>>
}

// what the engine wraps: a finalizer, the function of a `map`
const wrapped = ["cleanup", "f"]

const placesOf = (debug: Debugger, fiber: AnyFiber, { async, commits }: Waiting): ReadonlyArray<Place> => {
  const suspending = async && Reflect.get(async, "effect_instruction_i0")
  const leaf = debug.placeInScope(suspending, ["register"]) ??
    commits.map((commit) => debug.place(commit)).find((place) => place && !/core\.[jt]s$/.test(place.script.url)) ??
    debug.place(suspending)
  const frames = (fiber as unknown as Frames)._stack.toReversed().flatMap((frame) =>
    [frame["effect_instruction_i0"], frame["effect_instruction_i1"]].flatMap((part) => {
      const place = debug.place(part)
      return [place && isEngine(place) ? debug.placeInScope(part, wrapped) : undefined, place]
    })
  )
  return [leaf, ...frames].filter((place) => place !== undefined)
}

/** Where a fiber waits. */
export const whereIs = (fiber: AnyFiber, waiting: Waiting): Suspended => {
  // what other runtimes lack
  const inspector = globalThis.process?.getBuiltinModule?.("node:inspector")
  if (inspector === undefined) {
    return { primitives: [], lines: [] }
  }
  const debug = new Debugger(new inspector.Session())
  try {
    const places = placesOf(debug, fiber, waiting)
    const engine = places.filter(isEngine).map((place) => primitiveOf(debug, place)).filter((name) =>
      name !== undefined
    )
    return {
      primitives: Array.from(new Set(engine)),
      lines: places.filter((place) => isUsers(place.script.url)).map(lineOf)
    }
  } finally {
    debug.close()
  }
}
