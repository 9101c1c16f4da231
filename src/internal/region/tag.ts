/**
 * The tag of a context: an Effect service tag whose static members are the map.
 */
import * as Context from "effect/Context"
import { invalidArgument } from "../argument.js"
import { makeMapRef } from "../effect3/refs.js"
import type { Definition, Join, KeyPolicies, Strategy } from "../map/region.js"
import { hasStart } from "../map/region.js"
import type { ContextSpec } from "./context.js"
import { followJoin } from "./followers.js"
import { members } from "./members.js"

/** What a user says of a context. */
export interface Options {
  readonly fork?: Strategy
  readonly join?: Join
  readonly required?: ReadonlyArray<string>
}

/** Makes a tag. Its type is `Context.TagClass`. */
export const makeTag = (id: string, options?: Options, policies?: KeyPolicies): unknown => {
  const definition: Definition = { key: id, ...checked(id, options), ...policies }
  const spec: ContextSpec = {
    definition,
    ref: makeMapRef(id, { hasStart: hasStart(definition), onJoin: followJoin })
  }
  const tag = class extends Context.Tag(id)<unknown, unknown>() {}
  const named = Object.defineProperty(tag, "stack", { get: definedHere() })
  return Object.assign(named, members(tag, spec))
}

// Effect's "Service not found" names the second frame of a tag's stack: here the line that has called a module's `Tag`.
const definedHere = (): () => string | undefined => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 4
  const { stack } = new Error()
  Error.stackTraceLimit = limit
  return () => stack?.replace(/(\n.*){2}/, "")
}

const strategies: ReadonlyArray<unknown> = ["copy", "deepCopy", "chain", "share"]

const checked = (
  id: unknown,
  { fork = "copy", join = "isolate", required }: Options = {}
): Pick<Definition, "fork" | "join" | "required"> => {
  if (typeof id !== "string") {
    throw invalidArgument(`Context.Tag takes an id, as in Context.Tag("app/Request")`, id)
  }
  const at = `Context.Tag(${JSON.stringify(id)}): `
  if (typeof fork !== "function" && !strategies.includes(fork)) {
    throw invalidArgument(`${at}fork is "copy", "deepCopy", "chain", "share" or a function`, fork)
  }
  if (join !== "isolate" && join !== "merge") {
    throw invalidArgument(`${at}join is "isolate" or "merge"`, join)
  }
  return { fork, join, required }
}
