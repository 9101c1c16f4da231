// A concurrent forEach whose fiber is interrupted while its workers start waits for ever.
import { Effect, Fiber } from "effect"
import { hangs, places } from "./yields.js"

const neverEnds = Effect.gen(function*() {
  const all = Effect.forEach([1, 2, 3], () => Effect.yieldNow(), { concurrency: 2 })
  const fiber = yield* Effect.forkDaemon(all)
  yield* Effect.forkDaemon(Fiber.interrupt(fiber))
  return yield* hangs(fiber.await)
})

export const found: ReadonlyArray<number> = await places(neverEnds)
console.log("a forEach that never ends, by a yield before operation", found.join(" "))
