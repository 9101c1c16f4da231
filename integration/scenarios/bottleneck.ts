import Bottleneck from "bottleneck"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "Bottleneck",
  packages: ["bottleneck"],
  start: ({ bind }) => {
    const limiter = new Bottleneck({ maxConcurrent: 4 })
    const task = (check: Check, place: string) => async () => {
      check(place)
      await setImmediate()
      check(`${place} after an await`)
    }
    return {
      promises: async (check) => {
        await limiter.schedule(task(check, "in a task"))
        check("after schedule")
        await limiter.schedule(bind(task(check, "in a bound task")))
      },
      effects: (check) =>
        Effect.gen(function*() {
          yield* Effect.tryPromise(() => limiter.schedule(task(check, "in a task")))
          check("after schedule")
          yield* Effect.tryPromise(() => limiter.schedule(bind(task(check, "in a bound task"))))
        }),
      stop: () => limiter.disconnect()
    }
  },
  expected: {
    "in a task": {
      ...everywhere("mixed"),
      why: "it is started by the request whose task has ended",
      mend: "limiter.schedule(compat.bind(task))"
    },
    "in a task after an await": { ...everywhere("mixed"), why: "the task goes on where it was started" }
  }
}
