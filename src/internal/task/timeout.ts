/**
 * Deadlines of promise code.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { invalidArgument } from "../argument.js"

// a longer timer would fire at once
const longest = 2 ** 31

/** A promise that rejects with Effect's `TimeoutException` where it is late, and aborts the signal of who makes it. */
export const withDeadline = <A>(
  operation: string,
  duration: Duration.DurationInput,
  start: (signal: AbortSignal) => Promise<A>
): Promise<A> => {
  const millis = Duration.toMillis(Option.getOrThrowWith(
    Number.isNaN(duration) ? Option.none() : Duration.decodeUnknown(duration),
    () => invalidArgument(`${operation} takes a duration, as in ${operation}(fn, "2 seconds")`, duration)
  ))
  const controller = new AbortController()
  const result = start(controller.signal)
  if (millis >= longest) {
    return result
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const late = new Cause.TimeoutException(`${operation}: the task took longer than ${Duration.format(duration)}`)
      controller.abort(late)
      reject(late)
    }, millis)
    result.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
