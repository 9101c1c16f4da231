import * as Sentry from "@sentry/node"
import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import type { Check, Scenario } from "../harness/scenario.js"

type Event = Sentry.ErrorEvent

const events: Array<Event> = []

/** A transport that keeps what would be sent. */
const keeping = () => ({
  send: async ([, items]: { readonly 1: ReadonlyArray<unknown> } & Iterable<any>) => {
    events.push(...(items as ReadonlyArray<[unknown, Event]>).map(([, event]) => event))
    return {}
  },
  flush: async () => true
})

export const scenario: Scenario = {
  library: "Sentry",
  packages: ["@sentry/node"],
  start: async ({ enter, run }) => {
    events.length = 0
    Sentry.init({ dsn: "http://key@127.0.0.1/1", transport: keeping, defaultIntegrations: false })
    const works: Array<Check> = []
    const capture = (check: Check, place: string) => {
      check.saw(`${place}, the scope's tag`, Sentry.getIsolationScope().getScopeData().tags["request_id"])
      Sentry.captureException(new Error(place), { extra: { work: works.push(check) - 1 } })
    }
    return {
      request: (id) =>
        Sentry.withIsolationScope((scope) => {
          scope.setTag("request_id", id)
          return enter(id, () =>
            run(id, {
              promises: async (check) => {
                capture(check, "before an await")
                await setImmediate()
                capture(check, "after an await")
              },
              effects: (check) =>
                Effect.gen(function*() {
                  capture(check, "before an await")
                  yield* Effect.promise(() => setImmediate())
                  capture(check, "after an await")
                })
            }))
        }),
      stop: async () => {
        await Sentry.flush()
        for (const { exception, extra, tags } of events) {
          works[extra!["work"] as number]!.saw(`${exception!.values![0]!.value}, the event's tag`, tags?.["request_id"])
        }
      }
    }
  },
  expected: {}
}
