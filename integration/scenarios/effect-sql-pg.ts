import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, ManagedRuntime, Redacted, Stream } from "effect"
import { Pool } from "pg"
import type { Scenario } from "../harness/scenario.js"

const afterQueries = [
  "after a query",
  "in a transaction",
  "in a transaction after a query",
  "after a transaction",
  "in a stream",
  "after a stream"
]

export const scenario: Scenario = {
  library: "@effect/sql-pg",
  packages: ["@effect/sql-pg", "@effect/sql"],
  needs: "postgres",
  start: async ({ layer, servers }) => {
    const client = PgClient.layer({ url: Redacted.make(servers.postgres), maxConnections: 4 })
    const runtime = ManagedRuntime.make(Layer.provideMerge(client, layer))
    // at boot: requests that waited for the one which builds it would be woken by that one
    await runtime.runtime()
    // promise code cannot use it: there the same is done with what it is made of
    const pool = new Pool({ connectionString: servers.postgres, max: 4 })
    return {
      runtime,
      promises: async (check) => {
        check("before a query")
        await pool.query("select $1::text as id", [check.id])
        check("after a query")
        const connection = await pool.connect()
        await connection.query("begin")
        check("in a transaction")
        await connection.query("select 1")
        check("in a transaction after a query")
        await connection.query("commit")
        connection.release()
        check("after a transaction")
      },
      effects: (check) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          check("before a query")
          yield* sql`select ${check.id}::text as id`
          check("after a query")
          const transaction = Effect.gen(function*() {
            check("in a transaction")
            yield* sql`select 1`
            check("in a transaction after a query")
          })
          yield* sql.withTransaction(transaction)
          check("after a transaction")
          yield* sql`select 1`.stream.pipe(Stream.runForEach(() => Effect.sync(() => check("in a stream"))))
          check("after a stream")
        }),
      stop: async () => {
        await runtime.dispose()
        await pool.end()
      }
    }
  },
  expected: Object.fromEntries(
    afterQueries.map((place) => [
      place,
      { effect: "mixed", why: "the connection answers, and the fiber goes on in its async context" }
    ])
  )
}
