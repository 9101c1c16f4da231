/** Every imperative operation, on one context. */
import { compat, Context } from "aiocontext"
import { Effect } from "effect"

export class Request extends Context.Tag("test/errors/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

export const request = compat.make(Request)

/** Those that need a task with the context. */
export const mapOperations: Readonly<Record<string, () => unknown>> = {
  get: () => request.get("id"),
  "get with a fallback": () => request.get("user", "nobody"),
  getOrThrow: () => request.getOrThrow("id"),
  set: () => request.set("id", "a"),
  has: () => request.has("id"),
  delete: () => request.delete("user"),
  clear: () => request.clear(),
  size: () => request.size,
  keys: () => request.keys(),
  values: () => request.values(),
  entries: () => request.entries(),
  forEach: () => request.forEach(() => {}),
  iteration: () => [...request],
  toObject: () => request.toObject(),
  runPromise: () => request.runPromise(Request.get("id")),
  runFork: () => request.runFork(Request.get("id"))
}

/** Those that need a task, and no context. */
export const taskOperations: Readonly<Record<string, () => unknown>> = {
  "compat.fork": () => compat.fork(async () => {}),
  "compat.all": () => compat.all([async () => {}]),
  "compat.timeout": () => compat.timeout(async () => {}, 1),
  "compat.bind": () => compat.bind(() => {}),
  "compat.snapshot": () => compat.snapshot(),
  "compat.runPromise": () => compat.runPromise(Effect.void),
  "compat.runFork": () => compat.runFork(Effect.void)
}
