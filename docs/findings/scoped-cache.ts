// A value of a ScopedCache is closed while a fiber holds it.
import { Effect, ScopedCache } from "effect"
import { places } from "./yields.js"

const closedWhileHeld = Effect.scoped(Effect.gen(function*() {
  const lookup = () =>
    Effect.acquireRelease(Effect.sync(() => ({ open: true })), (it) => Effect.sync(() => void (it.open = false)))
  const cache = yield* ScopedCache.make({ lookup, capacity: 1, timeToLive: "1 hour" })
  const use = (key: string) =>
    Effect.scoped(
      Effect.flatMap(cache.get(key), (it) => Effect.as(Effect.yieldNow(), it).pipe(Effect.map((it) => it.open)))
    )
  const held = yield* Effect.all([use("a"), use("b"), use("a")], { concurrency: "unbounded" })
  return held.includes(false)
}))

export const found: ReadonlyArray<number> = await places(closedWhileHeld, 900)
console.log("closed while held, by a yield before operation", found.join(" "))
