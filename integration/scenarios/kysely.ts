import { Effect } from "effect"
import { Kysely, PostgresDialect, sql } from "kysely"
import { Pool } from "pg"
import type { Check, Scenario } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "Kysely",
  packages: ["kysely", "pg"],
  needs: "postgres",
  start: ({ servers }) => {
    const works: Array<Check> = []
    const database = new Kysely<Record<string, never>>({
      dialect: new PostgresDialect({ pool: new Pool({ connectionString: servers.postgres, max: 4 }) }),
      log: ({ query }) => {
        const [work] = query.parameters
        if (typeof work === "number") {
          works[work]!("in the log of queries")
        }
      }
    })
    const select = (check: Check) => sql`select ${works.push(check) - 1}::int as work`.execute(database)
    const inTransaction = (check: Check) =>
      database.transaction().execute(async (transaction) => {
        check("in a transaction")
        await sql`select 1`.execute(transaction)
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
