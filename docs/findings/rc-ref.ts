// An RcRef opens its next resource while the one before is not closed, when who closes it has to yield first.
import { Effect, RcRef } from "effect"
import { places } from "./yields.js"

const twoOpen = Effect.scoped(Effect.gen(function*() {
  let open = 0
  let most = 0
  const acquire = Effect.acquireRelease(
    Effect.sync(() => void (most = Math.max(most, ++open))),
    () => Effect.sync(() => void open--)
  )
  const ref = yield* RcRef.make({ acquire })
  const use = Effect.scoped(RcRef.get(ref))
  yield* Effect.all([use, use], { concurrency: "unbounded" })
  return most > 1
}))

export const found: ReadonlyArray<number> = await places(twoOpen)
console.log("two resources are open, by a yield before operation", found.join(" "))
