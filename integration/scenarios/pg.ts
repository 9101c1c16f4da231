import { Effect } from "effect"
import type { Notification, PoolClient } from "pg"
import { Client, Pool } from "pg"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

const text = "select $1::text as id"

export const scenario: Scenario = {
  library: "pg",
  packages: ["pg"],
  needs: "postgres",
  start: async ({ bind, servers }) => {
    // fewer connections than requests: they wait for each other
    const pool = new Pool({ connectionString: servers.postgres, max: 4 })
    const listening = new Client({ connectionString: servers.postgres })
    listening.setMaxListeners(0)
    await listening.connect()
    await listening.query("listen orders")

    const withBoundCallback = (check: Check, done: () => void) =>
      pool.query(
        text,
        [check.id],
        bind(() => {
          check("in a bound callback")
          done()
        })
      )
    const withCallback = (check: Check, done: () => void) =>
      pool.query(text, [check.id], () => {
        check("in a callback")
        done()
      })
    const onNotification = (check: Check, done: () => void) => {
      const onBound = bind(({ payload }: Notification) => {
        if (payload === check.id) {
          check("in a bound listener of notifications")
          listening.off("notification", onBound)
        }
      })
      const onPlain = ({ payload }: Notification) => {
        if (payload === check.id) {
          check("in a listener of notifications")
          listening.off("notification", onPlain)
          done()
        }
      }
      listening.on("notification", onBound)
      listening.on("notification", onPlain)
      return pool.query("select pg_notify('orders', $1)", [check.id])
    }

    return {
      promises: async (check) => {
        check("before a query")
        await pool.query(text, [check.id])
        check("after a query")
        const client = await pool.connect()
        check("after connect")
        await client.query("begin")
        check("in a transaction")
        await client.query("commit")
        check("after a transaction")
        client.release()
        await new Promise<void>((resolve) => withBoundCallback(check, resolve))
        check("after a bound callback")
        await new Promise<void>((resolve) => withCallback(check, resolve))
        check("after a callback")
        await new Promise<void>((resolve) => onNotification(check, resolve))
        check("after a notification")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a query")
          yield* Effect.tryPromise(() => pool.query(text, [check.id]))
          check("after a query")
          const transaction = (client: PoolClient) =>
            Effect.gen(function*() {
              check("after connect")
              yield* Effect.tryPromise(() => client.query("begin"))
              check("in a transaction")
              yield* Effect.tryPromise(() => client.query("commit"))
              check("after a transaction")
            })
          yield* Effect.acquireUseRelease(
            Effect.tryPromise(() => pool.connect()),
            transaction,
            (client) => Effect.sync(() => client.release())
          )
          yield* Effect.async<void>((resume) => {
            withBoundCallback(check, () => resume(Effect.void))
          })
          check("after a bound callback")
          yield* Effect.async<void>((resume) => {
            withCallback(check, () => resume(Effect.void))
          })
          check("after a callback")
          yield* Effect.async<void>((resume) => {
            void onNotification(check, () => resume(Effect.void))
          })
          check("after a notification")
        }),
      stop: async () => {
        await listening.end()
        await pool.end()
      }
    }
  },
  wokenBy: "lost",
  expected: {
    "in a callback": {
      ...everywhere("mixed"),
      why: "the connection calls it, in the async context of the request that opened it",
      mend: "pool.query(text, values, compat.bind(callback))"
    },
    "after a callback": { effect: "mixed", woken: "mixed", why: "the fiber goes on where the callback was called" },
    "in a listener of notifications": {
      ...everywhere("lost"),
      why: "the connection calls it, which was opened outside every request",
      mend: "client.on(\"notification\", compat.bind(listener))"
    },
    "after a notification": { effect: "lost", why: "the fiber goes on where the listener was called" },
    "in a bound listener of notifications": {
      effect: "mixed",
      woken: "mixed",
      why: "it is bound where the fiber went on after the callback"
    }
  }
}
