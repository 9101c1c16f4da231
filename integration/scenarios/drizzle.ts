import { sql } from "drizzle-orm"
import { drizzle } from "drizzle-orm/node-postgres"
import { Effect } from "effect"
import { Pool } from "pg"
import type { Check, Scenario } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "Drizzle",
  packages: ["drizzle-orm", "pg"],
  needs: "postgres",
  start: ({ servers }) => {
    const pool = new Pool({ connectionString: servers.postgres, max: 4 })
    const works: Array<Check> = []
    const database = drizzle(pool, {
      logger: {
        logQuery: (_, [work]) => {
          if (typeof work === "number") {
            works[work]!("in the logger of queries")
          }
        }
      }
    })
    const select = (check: Check) => database.execute(sql`select ${works.push(check) - 1}::int as work`)
    const inTransaction = (check: Check) =>
      database.transaction(async (transaction) => {
        check("in a transaction")
        await transaction.execute(sql`select 1`)
        check("in a transaction after a query")
      })
    return {
      promises: async (check) => {
        check("before a query")
        await select(check)
        check("after a query")
        await inTransaction(check)
        check("after a transaction")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a query")
          yield* Effect.tryPromise(() => select(check))
          check("after a query")
          yield* Effect.tryPromise(() => inTransaction(check))
          check("after a transaction")
        }),
      stop: () => pool.end()
    }
  },
  expected: {}
}
