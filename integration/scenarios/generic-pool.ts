import { Effect } from "effect"
import { createPool } from "generic-pool"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"

interface Connection {
  readonly query: () => Promise<void>
}

export const scenario: Scenario = {
  library: "generic-pool",
  packages: ["generic-pool"],
  start: () => {
    const pool = createPool<Connection>(
      { create: async () => ({ query: () => setImmediate() }), destroy: async () => {} },
      { max: 4 }
    )
    const use = (check: Check) =>
      pool.use(async (connection) => {
        check("in use")
        await connection.query()
        check("in use after an await")
      })
    return {
      promises: async (check) => {
        check("before acquire")
        const connection = await pool.acquire()
        check("after acquire")
        await connection.query()
        await pool.release(connection)
        check("after release")
        await use(check)
        check("after use")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before acquire")
          yield* Effect.acquireUseRelease(
            Effect.tryPromise(() => Promise.resolve(pool.acquire())),
            (connection) => {
              check("after acquire")
              return Effect.tryPromise(() => connection.query())
            },
            (connection) => Effect.promise(() => Promise.resolve(pool.release(connection)))
          )
          check("after release")
          yield* Effect.tryPromise(() => Promise.resolve(use(check)))
          check("after use")
        }),
      stop: async () => {
        await pool.drain()
        await pool.clear()
      }
    }
  },
  expected: {}
}
