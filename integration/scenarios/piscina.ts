import { Effect } from "effect"
import { Piscina } from "piscina"
import type { Scenario } from "../harness/scenario.js"

// a worker has no storage of its main thread: what it needs is in its argument
const worker = `data:text/javascript,${encodeURIComponent("export default ({ id }) => id")}`

export const scenario: Scenario = {
  library: "Piscina",
  packages: ["piscina"],
  start: ({ currentId }) => {
    const pool = new Piscina({ filename: worker, maxThreads: 2 })
    const calculate = () => pool.run({ id: currentId() ?? null })
    return {
      promises: async (check) => {
        check("before a run")
        const id = await calculate()
        check("after a run")
        check.saw("in a worker, as an argument", id)
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a run")
          const id = yield* Effect.tryPromise(calculate)
          check("after a run")
          check.saw("in a worker, as an argument", id)
        }),
      stop: () => pool.destroy()
    }
  },
  expected: {}
}
