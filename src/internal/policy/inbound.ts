/**
 * What happens to values that a boundary refuses: they are counted and noted, or the first one fails the request.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import type { InboundError } from "../../reach-errors.js"

const dropped = /* @__PURE__ */ Metric.counter("aiocontext_inbound_dropped", {
  incremental: true
})

/** Counts what was dropped, by context, key and reason. */
export const count = (errors: ReadonlyArray<InboundError>): void => {
  for (const { context, key, reason } of errors) {
    dropped.unsafeUpdate(1, [
      MetricLabel.make("context", context),
      MetricLabel.make("key", key),
      MetricLabel.make("reason", reason)
    ])
  }
}

/** Drops values: counts them, with a debug line for each. */
export const drop = (errors: ReadonlyArray<InboundError>): Effect.Effect<void> =>
  Effect.suspend(() => {
    count(errors)
    return Effect.forEach(errors, ({ message }) => Effect.logDebug(message), { discard: true })
  })
