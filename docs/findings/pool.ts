// A pool gives one item to two fibers, when the first has to yield between choosing it and marking it as taken.
import { Effect, Pool } from "effect"
import { places } from "./yields.js"

const oneItemForTwo = Effect.scoped(Effect.gen(function*() {
  let made = 0
  const pool = yield* Pool.make({ acquire: Effect.sync(() => ++made), size: 2 })
  const use = Effect.scoped(Effect.zipLeft(pool.get, Effect.sleep(1)))
  const [first, second] = yield* Effect.all([use, use], { concurrency: "unbounded" })
  return first === second
}))

export const found: ReadonlyArray<number> = await places(oneItemForTwo, 900)
console.log("one item for two, by a yield before operation", found.join(" "))
