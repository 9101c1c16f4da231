// Two fibers that ask for one key get two resources, when the first has to yield between its look and its entry.
import { Effect, RcMap } from "effect"
import { places } from "./yields.js"

const twoOfOneKey = Effect.scoped(Effect.gen(function*() {
  let made = 0
  const map = yield* RcMap.make({ lookup: (_: string) => Effect.sync(() => ++made) })
  const use = Effect.scoped(Effect.zipLeft(RcMap.get(map, "key"), Effect.sleep(1)))
  yield* Effect.all([use, use], { concurrency: "unbounded" })
  return made > 1
}))

export const found: ReadonlyArray<number> = await places(twoOfOneKey)
console.log("one key with two resources, by a yield before operation", found.join(" "))
