/**
 * The async context of Node, Bun and Deno. The only file that reaches `node:async_hooks`.
 */
import { AsyncLocalStorage, AsyncResource, executionAsyncResource } from "node:async_hooks"
import type { AsyncContext, Storage } from "./types.js"

/** Whether promise code keeps its task across an `await`. */
export const follows = true

/** What Deno's own `node:async_hooks` is built on. */
interface Frames {
  readonly getAsyncContext: () => unknown
  readonly setAsyncContext: (frame: unknown) => void
}

// A resource of Deno's holds the one in whose scope it was made, and so all that came before it: a fiber that goes on in a
// new one at each step would keep its whole past (docs/runtimes.md). A bare frame holds the values of its moment only.
const frames: Frames | undefined = /* @__PURE__ */ (() => {
  const { Deno } = globalThis as { readonly Deno?: { readonly internal?: symbol } }
  const internal = Deno?.internal === undefined ? undefined : Reflect.get(Deno, Deno.internal) as { core?: Frames }
  const core = internal?.core
  return typeof core?.getAsyncContext === "function" && typeof core.setAsyncContext === "function" ? core : undefined
})()

class Frame implements AsyncContext {
  readonly frame: unknown
  constructor(readonly frames: Frames) {
    this.frame = frames.getAsyncContext()
  }

  runInAsyncScope<Args extends Array<unknown>, A>(f: (...args: Args) => A, _self?: undefined, ...args: Args): A {
    const { getAsyncContext, setAsyncContext } = this.frames
    const before = getAsyncContext()
    setAsyncContext(this.frame)
    try {
      return f(...args)
    } finally {
      setAsyncContext(before)
    }
  }
}

/** The async context of this moment: of all storages of the process, not only ours. */
export const capture = (): AsyncContext => frames === undefined ? new AsyncResource("aiocontext") : new Frame(frames)

/** An async context in which no storage has a value. */
export const root: AsyncContext = /* @__PURE__ */ capture()

/**
 * Whether an async context keeps what code that runs in it enters. It does on Node 20 and 22, where the context hangs
 * on the resource; where it is an immutable frame (Node 24, Bun, Deno) it must be captured anew when the code is done.
 */
export const keepsWrites: boolean = /* @__PURE__ */ (() => {
  const storage = new AsyncLocalStorage<boolean>()
  const context = capture()
  context.runInAsyncScope(() => storage.enterWith(true))
  const kept = context.runInAsyncScope(() => storage.getStore()) === true
  // a storage in use costs each promise of the process
  storage.disable()
  return kept
})()

/**
 * A value that follows the async context.
 *
 * Where it hangs on the resource, it is a property under a symbol of the storage's. All storages of a process read theirs
 * in one function, which the JavaScript engine can prepare for none of the symbols: with one of our own a key is read in
 * two thirds of the time.
 */
export const makeStorage = <A>(): Storage<A> => {
  const storage: Storage<A> = new AsyncLocalStorage<A>()
  const symbol: unknown = Reflect.get(storage, "kResourceStore")
  if (keepsWrites && typeof symbol === "symbol") {
    storage.getStore = () => (executionAsyncResource() as { [symbol]: A | undefined })[symbol]
  }
  return storage
}
