import { Effect } from "effect"
import knex from "knex"
import type { Check, Scenario } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "Knex",
  packages: ["knex", "pg"],
  needs: "postgres",
  start: ({ servers }) => {
    const database = knex({ client: "pg", connection: servers.postgres, pool: { min: 0, max: 4 } })
    const select = (check: Check) => database.select(database.raw("?::text as id", [check.id]))
    const inTransaction = (check: Check) =>
      database.transaction(async (transaction) => {
        check("in a transaction")
        await transaction.raw("select 1")
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
      stop: () => database.destroy()
    }
  },
  expected: {}
}
