import { Effect } from "effect"
import { Redis } from "ioredis"
import type { Check, Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"

export const scenario: Scenario = {
  library: "ioredis",
  packages: ["ioredis"],
  needs: "redis",
  start: async ({ bind, servers }) => {
    const redis = new Redis(servers.redis)
    const subscriber = redis.duplicate()
    subscriber.setMaxListeners(0)
    await subscriber.subscribe("orders")

    const withCallback = (check: Check, done: () => void) =>
      redis.get(check.id, () => {
        check("in a callback")
        done()
      })
    const onMessage = (check: Check, done: () => void) => {
      const onBound = bind((_: string, message: string) => {
        if (message === check.id) {
          check("in a bound listener of messages")
          subscriber.off("message", onBound)
        }
      })
      const onPlain = (_: string, message: string) => {
        if (message === check.id) {
          check("in a listener of messages")
          subscriber.off("message", onPlain)
          done()
        }
      }
      subscriber.on("message", onBound)
      subscriber.on("message", onPlain)
      return redis.publish("orders", check.id)
    }

    return {
      promises: async (check) => {
        check("before a command")
        await redis.set(check.id, check.id)
        check("after a command")
        await redis.pipeline().get(check.id).ttl(check.id).exec()
        check("after a pipeline")
        await new Promise<void>((resolve) => withCallback(check, resolve))
        check("after a callback")
        await new Promise<void>((resolve) => onMessage(check, resolve))
        check("after a message")
      },
      effects: (check) =>
        Effect.gen(function*() {
          check("before a command")
          yield* Effect.tryPromise(() => redis.set(check.id, check.id))
          check("after a command")
          yield* Effect.tryPromise(() => redis.pipeline().get(check.id).ttl(check.id).exec())
          check("after a pipeline")
          yield* Effect.async<void>((resume) => {
            void withCallback(check, () => resume(Effect.void))
          })
          check("after a callback")
          yield* Effect.async<void>((resume) => {
            void onMessage(check, () => resume(Effect.void))
          })
          check("after a message")
        }),
      stop: () => {
        redis.disconnect()
        subscriber.disconnect()
      }
    }
  },
  wokenBy: "lost",
  expected: {
    "in a listener of messages": {
      ...everywhere("lost"),
      why: "the connection calls it, which was opened outside every request",
      mend: "subscriber.on(\"message\", compat.bind(listener))"
    },
    "after a message": { effect: "lost", why: "the fiber goes on where the listener was called" }
  }
}
