import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import PQueue from "p-queue"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "p-queue",
  packages: ["p-queue"],
  start: ({ bind }) => {
    const queue = new PQueue({ concurrency: 4 })
    const task = (check: Check, place: string) => async () => {
      check(place)
      await setImmediate()
      check(`${place} after an await`)
    }
    return {
      promises: async (check) => {
        await queue.add(task(check, "in a task"))
        check("after add")
        await queue.add(bind(task(check, "in a bound task")))
      },
      effects: (check) =>
        Effect.gen(function*() {
          yield* Effect.tryPromise(() => queue.add(task(check, "in a task")))
          check("after add")
          yield* Effect.tryPromise(() => queue.add(bind(task(check, "in a bound task"))))
        }),
      stop: () => queue.onIdle()
    }
  },
  expected: {
    "in a task": {
      ...everywhere("mixed"),
      why: "it is started by the request whose task has ended",
      mend: "queue.add(compat.bind(task))"
    },
    "in a task after an await": { ...everywhere("mixed"), why: "the task goes on where it was started" }
  }
}
