// A fiber that is interrupted between counting its permit and beginning its work keeps the permit for ever.
import { Effect, Fiber } from "effect"
import { hangs, places } from "./yields.js"

const permitGone = Effect.gen(function*() {
  const semaphore = yield* Effect.makeSemaphore(1)
  const fiber = yield* Effect.fork(semaphore.withPermits(1)(Effect.void))
  const interruption = yield* Effect.fork(Fiber.interrupt(fiber))
  yield* interruption.await
  return yield* hangs(semaphore.withPermits(1)(Effect.void))
})

export const found: ReadonlyArray<number> = await places(permitGone)
console.log("a permit that nobody has, by a yield before operation", found.join(" "))
