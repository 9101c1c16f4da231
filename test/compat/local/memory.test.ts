import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Effect, Fiber } from "effect"
import { asTask, bridged, collected, withResolvers } from "../../support.js"

const { all, fork } = compat

describe("when tasks are gone nothing of them is kept", () => {
  class Payload {
    readonly bytes = new Uint8Array(1024)
  }

  it("of 500 promise tasks, while their parent lives", () =>
    asTask(async () => {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const use = async () => {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        await Promise.resolve()
      }
      await all(Array.from({ length: 500 }, () => use))
      expect(await collected(refs)).toBe(500)
    }))

  it("of 500 fibers, while their parent lives", () =>
    Effect.gen(function*() {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const use = Effect.gen(function*() {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        yield* Effect.yieldNow()
      })
      yield* Effect.forEach(Array.from({ length: 500 }), () => use, { concurrency: "unbounded" })
      expect(yield* Effect.promise(() => collected(refs))).toBe(500)
    }).pipe(bridged, Effect.runPromise))

  it("of a promise task, while a child that it started lives", async () => {
    const mine = local<{ payload: Payload }>()
    const refs: Array<WeakRef<object>> = []
    const { promise, resolve } = withResolvers()
    const child = asTask(() => {
      mine.payload = new Payload()
      refs.push(new WeakRef(mine.payload))
      return fork(() => promise.then(() => mine.payload))
    })
    expect(await collected(refs)).toBe(1)
    resolve()
    expect(await child).toBeUndefined()
  })

  it("of a fiber, while a child that it started lives", () =>
    Effect.gen(function*() {
      const mine = local<{ payload: Payload }>()
      const refs: Array<WeakRef<object>> = []
      const { promise, resolve } = withResolvers()
      const parent = Effect.gen(function*() {
        mine.payload = new Payload()
        refs.push(new WeakRef(mine.payload))
        return yield* Effect.forkDaemon(Effect.promise(() => promise.then(() => mine.payload)))
      })
      const child = yield* Effect.flatten(Effect.fork(parent))
      expect(yield* Effect.promise(() => collected(refs))).toBe(1)
      resolve()
      expect(yield* Fiber.join(child)).toBeUndefined()
    }).pipe(bridged, Effect.runPromise))
})
