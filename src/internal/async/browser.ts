/**
 * Where there is no async context (browsers): values hold for synchronous code, and nothing follows an `await`.
 */
import type { AsyncContext, Storage } from "./types.js"

/** Whether promise code keeps its task across an `await`. */
export const follows = false

const storages: Array<Storage<unknown>> = []

const from = (values: ReadonlyArray<unknown>): AsyncContext => ({
  runInAsyncScope: (f, _self, ...args) =>
    storages.reduce((run, storage, index) => () => storage.run(values[index], run), () => f(...args))()
})

/** The values of this moment. */
export const capture = (): AsyncContext => from(storages.map((storage) => storage.getStore()))

/** An async context in which no storage has a value. */
export const root: AsyncContext = /* @__PURE__ */ from([])

/** A value that holds for synchronous code. */
export const makeStorage = <A>(): Storage<A> => {
  let current: A | undefined
  const storage: Storage<A> = {
    getStore: () => current,
    enterWith: (value) => {
      current = value
    },
    run: (value, f) => {
      const before = current
      current = value
      try {
        return f()
      } finally {
        current = before
      }
    }
  }
  storages.push(storage)
  return storage
}

/** A captured context is a list of values: it must be captured anew when the code is done. */
export const keepsWrites = false
