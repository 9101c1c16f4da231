import DataLoader from "dataloader"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

interface Key {
  readonly check: Check
  readonly atLoad: (f: () => void) => void
}

export const scenario: Scenario = {
  library: "DataLoader",
  packages: ["dataloader"],
  start: ({ bind }) => {
    // one for all requests, which mixes by design: what is usual is one for each request
    const shared = new DataLoader<Key, string>(async (keys) => {
      keys.forEach(({ check }) => check("in a batch of all requests"))
      keys.forEach(({ atLoad, check }) => atLoad(() => check("in a batch of all requests, bound with the key")))
      await setImmediate()
      return keys.map(({ check }) => check.id)
    })
    const makeLoader = () =>
      new DataLoader<Check, string>(async (checks) => {
        checks.forEach((check) => check("in a batch of one request"))
        await setImmediate()
        checks.forEach((check) => check("in a batch of one request after an await"))
        return checks.map(({ id }) => id)
      })
    const loadShared = (check: Check) => shared.load({ check, atLoad: bind((f: () => void) => f()) })
    return {
      promises: async (check) => {
        await loadShared(check)
        check("after a load of a batch of all requests")
        await makeLoader().load(check)
        check("after a load")
      },
      effects: (check) =>
        Effect.gen(function*() {
          yield* Effect.promise(() => loadShared(check))
          check("after a load of a batch of all requests")
          yield* Effect.promise(() => makeLoader().load(check))
          check("after a load")
        }),
      stop: () => {}
    }
  },
  expected: {
    "in a batch of all requests": {
      ...everywhere("mixed"),
      why: "one call works for many requests, in the async context of the one that came first",
      mend: "a loader for each request, or compat.bind(f) in the key"
    }
  }
}
