/**
 * The async context of Node, Bun and Deno. The only file that reaches `node:async_hooks`.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks"
import type { AsyncContext, Storage } from "./async.js"

/** Whether promise code keeps its task across an `await`. */
export const follows = true

/** The async context of this moment: of all storages of the process, not only ours. */
export const capture = (): AsyncContext => new AsyncResource("aiocontext", { requireManualDestroy: true })

/** An async context in which no storage has a value. */
export const root: AsyncContext = /* @__PURE__ */ capture()

/** A value that follows the async context. */
export const makeStorage = <A>(): Storage<A> => new AsyncLocalStorage<A>()

/**
 * Whether an async context keeps what code that runs in it enters. It does on Node 20 and 22, where the context hangs
 * on the resource; where it is an immutable frame (Node 24, Bun, Deno) it must be captured anew when the code is done.
 */
export const keepsWrites: boolean = /* @__PURE__ */ (() => {
  const storage = new AsyncLocalStorage<boolean>()
  const context = capture()
  context.runInAsyncScope(() => storage.enterWith(true))
  return context.runInAsyncScope(() => storage.getStore()) === true
})()
