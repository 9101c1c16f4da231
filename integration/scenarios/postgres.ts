import { Effect } from "effect"
import postgres from "postgres"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "postgres.js",
  packages: ["postgres"],
  needs: "postgres",
  start: async ({ bind, servers }) => {
    const sql = postgres(servers.postgres, { max: 4, onnotice: () => {} })
    const waiting = new Map<string, () => void>()
    await sql.listen("orders", (id) => waiting.get(id)?.())

    const transaction = async (check: Check) => {
      await sql.begin(async (transaction) => {
        check("in a transaction")
        await transaction`select 1`
        check("in a transaction after a query")
      })
    }
    const onNotification = (check: Check, done: () => void) => {
      const bound = bind(() => check("in a bound listener of notifications"))
      waiting.set(check.id, () => {
        bound()
        check("in a listener of notifications")
        waiting.delete(check.id)
        done()
      })
      return sql.notify("orders", check.id)
    }
    return {
      promises: async (check) => {
        check("before a query")
        await sql`select ${check.id} as id`
        check("after a query")
        await transaction(check)
        check("after a transaction")
        for await (const _ of sql`select 1`.cursor()) {
          check("in a loop over a cursor")
        }
        await new Promise<void>((resolve) => onNotification(check, resolve))
        check("after a notification")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a query")
          yield* Effect.tryPromise(() => sql`select ${check.id} as id`)
          check("after a query")
          yield* Effect.tryPromise(() => transaction(check))
          check("after a transaction")
          yield* Effect.tryPromise(async () => {
            for await (const _ of sql`select 1`.cursor()) {
              check("in a loop over a cursor")
            }
          })
          yield* Effect.async<void>((resume) => {
            void onNotification(check, () => resume(Effect.void))
          })
          check("after a notification")
        }),
      stop: () => sql.end()
    }
  },
  wokenBy: "lost",
  expected: {
    "in a listener of notifications": {
      ...everywhere("lost"),
      why: "the connection calls it, which was opened outside every request",
      mend: "sql.listen(channel, compat.bind(listener))"
    },
    "after a notification": { effect: "lost", why: "the fiber goes on where the listener was called" }
  }
}
