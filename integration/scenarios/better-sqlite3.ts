import Database from "better-sqlite3"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "better-sqlite3",
  packages: ["better-sqlite3"],
  start: ({ currentId }) => {
    const database = new Database(":memory:")
    database.exec("create table orders (id text, request text)")
    database.function("request_id", () => currentId() ?? null)
    const statement = database.prepare<[string], { readonly request: string | null }>(
      "insert into orders values (?, request_id()) returning request"
    )
    const insert = (check: Check) => {
      check.saw("in a function of SQL", statement.get(check.id)?.request)
      check("after a statement")
    }
    const transaction = database.transaction((check: Check) => {
      check("in a transaction")
      insert(check)
    })
    return {
      promises: async (check) => {
        insert(check)
        await setImmediate()
        transaction(check)
      },
      effects: (check) =>
        Effect.gen(function*() {
          insert(check)
          yield* Effect.promise(() => setImmediate())
          transaction(check)
        }),
      stop: () => {
        database.close()
      }
    }
  },
  expected: {}
}
