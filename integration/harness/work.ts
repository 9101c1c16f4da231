/**
 * What the handlers of servers and queues do, where the library only calls them.
 */
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Code } from "./scenario.js"

export const work: Code = {
  promises: async (check) => {
    check("before an await")
    await setImmediate()
    check("after an await")
  },
  effects: (check) =>
    Effect.gen(function*() {
      check("before an await")
      yield* Effect.promise(() => setImmediate())
      check("after an await")
    })
}
