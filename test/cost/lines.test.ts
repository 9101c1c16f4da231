import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Deferred, Effect } from "effect"
import { bridged, collected, withResolvers } from "../support.js"

class Copied extends Context.Tag("test/cost/lines/Copied")<Copied>({ fork: "deepCopy" }) {}
const copied = compat.make(Copied)

const links = 100

describe("a line of tasks that each start the next one", () => {
  it("keeps nothing of those before it, in promise tasks", async () => {
    const refs: Array<WeakRef<object>> = []
    const [begun, over] = [withResolvers(), withResolvers()]
    const link = async (left: number) => {
      if (left === 0) {
        begun.resolve()
        return over.promise
      }
      const own = { left }
      refs.push(new WeakRef(own))
      copied.set("own", own)
      setTimeout(() => void compat.fork(() => link(left - 1)))
    }
    await copied.run({}, () => link(links))
    await begun.promise
    expect(await collected(refs)).toBe(links)
    over.resolve()
  })

  it.live("keeps nothing of those before it, in fibers", () =>
    Effect.gen(function*() {
      const refs: Array<WeakRef<object>> = []
      const [begun, over] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const link = (left: number): Effect.Effect<unknown, never, Copied> =>
        left === 0
          ? Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(over))
          : Effect.suspend(() => {
            const own = { left }
            refs.push(new WeakRef(own))
            return Effect.zipRight(Copied.set("own", own), Effect.forkDaemon(link(left - 1)))
          })
      yield* Copied.provide({})(link(links))
      yield* Deferred.await(begun)
      // the first link runs in the fiber that goes on here
      expect(yield* Effect.promise(() => collected(refs))).toBeGreaterThanOrEqual(links - 1)
      yield* Deferred.succeed(over, undefined)
    }).pipe(bridged))
})
