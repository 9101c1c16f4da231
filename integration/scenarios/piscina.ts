import { Effect } from "effect"
import { Piscina } from "piscina"
import type { Scenario } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "Piscina",
  packages: ["piscina"],
  start: ({ currentId }) => {
    const pool = new Piscina({ filename: new URL("../workers/echo.js", import.meta.url).href, maxThreads: 2 })
    const calculate = () => pool.run({ id: currentId() })
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
