import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Effect, Fiber, Queue } from "effect"
import { asTask, bridged, sleep } from "../../support.js"

const { all } = compat

describe("1,000 tasks with 10 children", () => {
  const roots = Array.from({ length: 1000 }, (_, n) => `r-${n}`)

  const children = Array.from({ length: 10 }, (_, n) => n)

  it("see their own values only, in promise tasks", () =>
    asTask(async () => {
      const mine = local<{ id: string }>()
      const child = (id: string) => async () => {
        const before = mine.id
        mine.id = id
        await sleep(Math.random() * 10)
        return [before, mine.id]
      }
      const root = (id: string) => async () => {
        mine.id = id
        const seen = await all(children.map((n) => child(`${id}/${n}`)))
        return [mine.id, seen]
      }
      expect(await all(roots.map(root))).toEqual(
        roots.map((id) => [id, children.map((n) => [undefined, `${id}/${n}`])])
      )
    }))

  it("see their own values only, in fibers that wake each other", () =>
    Effect.gen(function*() {
      const mine = local<{ id: string }>()
      const queue = yield* Queue.unbounded<number>()
      const child = (id: string) =>
        Effect.gen(function*() {
          const before = mine.id
          mine.id = id
          yield* Queue.take(queue)
          const middle = mine.id
          yield* Queue.offer(queue, 1)
          yield* Effect.promise(() => Promise.resolve())
          return [before, middle, mine.id]
        })
      const root = (id: string) =>
        Effect.gen(function*() {
          mine.id = id
          const seen = yield* Effect.forEach(children, (n) => child(`${id}/${n}`), { concurrency: "unbounded" })
          return [mine.id, seen]
        })
      const storm = yield* Effect.fork(Effect.forEach(roots, root, { concurrency: "unbounded" }))
      yield* Queue.offer(queue, 1)
      expect(yield* Fiber.join(storm)).toEqual(
        roots.map((id) => [id, children.map((n) => [undefined, `${id}/${n}`, `${id}/${n}`])])
      )
    }).pipe(bridged, Effect.runPromise))
})
