/**
 * Where there is no async context (browsers): values hold for synchronous code, and nothing follows an `await`.
 */
import type { AsyncContext, Storage } from "./async.js"

/** Whether promise code keeps its task across an `await`. */
export const follows = false

const storages: Array<{ value: unknown }> = []

const restore = (values: ReadonlyArray<unknown>): void =>
  storages.forEach((cell, index) => {
    cell.value = values[index]
  })

const from = (values: ReadonlyArray<unknown>): AsyncContext => ({
  runInAsyncScope: (f, _self, ...args) => {
    const before = storages.map((cell) => cell.value)
    restore(values)
    try {
      return f(...args)
    } finally {
      restore(before)
    }
  }
})

/** The values of this moment. */
export const capture = (): AsyncContext => from(storages.map((cell) => cell.value))

/** An async context in which no storage has a value. */
export const root: AsyncContext = /* @__PURE__ */ from([])

/** A value that holds for synchronous code. */
export const makeStorage = <A>(): Storage<A> => {
  const cell: { value: A | undefined } = { value: undefined }
  storages.push(cell as { value: unknown })
  return {
    getStore: () => cell.value,
    enterWith: (value) => {
      cell.value = value
    },
    run: (value, f) => {
      const before = cell.value
      cell.value = value
      try {
        return f()
      } finally {
        cell.value = before
      }
    }
  }
}

/** A captured context is a list of values: it must be captured anew when the code is done. */
export const keepsWrites = false
