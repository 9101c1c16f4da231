import { Effect } from "effect"
import mysql from "mysql2"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "mysql2",
  packages: ["mysql2"],
  needs: "mariadb",
  start: ({ bind, servers }) => {
    const pool = mysql.createPool({ uri: servers.mariadb, connectionLimit: 4 })
    const promised = pool.promise()
    const withBoundCallback = (check: Check, done: () => void) =>
      pool.query(
        "select ? as id",
        [check.id],
        bind(() => {
          check("in a bound callback")
          done()
        })
      )
    const withCallback = (check: Check, done: () => void) =>
      pool.query("select ? as id", [check.id], () => {
        check("in a callback")
        done()
      })
    const withEvents = (check: Check, done: () => void) =>
      pool.query("select ? as id", [check.id])
        .on("result", () => check("in a listener of result"))
        .on("result", bind(() => check("in a bound listener of result")))
        .on("end", bind(done))
    return {
      promises: async (check) => {
        check("before a query")
        await promised.query("select ? as id", [check.id])
        check("after a query")
        await promised.execute("select ? as id", [check.id])
        check("after a prepared statement")
        const connection = await promised.getConnection()
        check("after getConnection")
        await connection.beginTransaction()
        check("in a transaction")
        await connection.commit()
        check("after a transaction")
        connection.release()
        await new Promise<void>((resolve) => withEvents(check, resolve))
        check("after the events")
        await new Promise<void>((resolve) => withBoundCallback(check, resolve))
        check("after a bound callback")
        await new Promise<void>((resolve) => withCallback(check, resolve))
        check("after a callback")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a query")
          yield* Effect.tryPromise(() => promised.query("select ? as id", [check.id]))
          check("after a query")
          yield* Effect.tryPromise(() => promised.execute("select ? as id", [check.id]))
          check("after a prepared statement")
          yield* Effect.acquireUseRelease(
            Effect.tryPromise(() => promised.getConnection()),
            (connection) =>
              Effect.gen(function*() {
                check("after getConnection")
                yield* Effect.tryPromise(() => connection.beginTransaction())
                check("in a transaction")
                yield* Effect.tryPromise(() => connection.commit())
                check("after a transaction")
              }),
            (connection) => Effect.sync(() => connection.release())
          )
          yield* Effect.async<void>((resume) => {
            withEvents(check, () => resume(Effect.void))
          })
          check("after the events")
          yield* Effect.async<void>((resume) => {
            withBoundCallback(check, () => resume(Effect.void))
          })
          check("after a bound callback")
          yield* Effect.async<void>((resume) => {
            withCallback(check, () => resume(Effect.void))
          })
          check("after a callback")
        }),
      stop: () => promised.end()
    }
  },
  expected: {
    "in a callback": {
      ...everywhere("mixed"),
      why: "the connection calls it, in the async context of the request that opened it",
      mend: "pool.query(text, values, compat.bind(callback))"
    },
    "in a listener of result": {
      ...everywhere("mixed"),
      why: "the connection calls it, in the async context of the request that opened it",
      mend: "query.on(\"result\", compat.bind(listener))"
    },
    "after a callback": { effect: "mixed", why: "the fiber goes on where the callback was called" }
  }
}
