import { Effect } from "effect"
import { createClient } from "redis"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "node-redis",
  packages: ["redis"],
  needs: "redis",
  start: async ({ bind, servers }) => {
    const redis = await createClient({ url: servers.redis }).connect()
    const subscriber = await redis.duplicate().connect()
    const onMessage = async (check: Check, done: () => void) => {
      const channel = `orders:${check.id}`
      await subscriber.subscribe(channel, bind(() => check("in a bound listener of messages")))
      await subscriber.subscribe(channel, () => {
        check("in a listener of messages")
        done()
      })
      await redis.publish(channel, check.id)
      await subscriber.unsubscribe(channel)
    }
    return {
      promises: async (check) => {
        check("before a command")
        await redis.set(check.id, check.id)
        check("after a command")
        await redis.multi().get(check.id).ttl(check.id).exec()
        check("after a transaction")
        for await (const _ of redis.scanIterator({ MATCH: check.id })) {
          check("in a loop over keys")
        }
        let received: Promise<void> | undefined
        await new Promise<void>((resolve) => {
          received = onMessage(check, resolve)
        })
        check("after a message")
        await received
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a command")
          yield* Effect.tryPromise(() => redis.set(check.id, check.id))
          check("after a command")
          yield* Effect.tryPromise(() => redis.multi().get(check.id).ttl(check.id).exec())
          check("after a transaction")
          yield* Effect.tryPromise(async () => {
            for await (const _ of redis.scanIterator({ MATCH: check.id })) {
              check("in a loop over keys")
            }
          })
          let received: Promise<void> | undefined
          yield* Effect.async<void>((resume) => {
            received = onMessage(check, () => resume(Effect.void))
          })
          check("after a message")
          yield* Effect.promise(async () => received)
        }),
      stop: () => {
        redis.destroy()
        subscriber.destroy()
      }
    }
  },
  wokenBy: "lost",
  expected: {
    "in a listener of messages": {
      ...everywhere("lost"),
      why: "the connection calls it, which was opened outside every request",
      mend: "subscriber.subscribe(channel, compat.bind(listener))"
    },
    "after a message": { effect: "lost", why: "the fiber goes on where the listener was called" }
  }
}
