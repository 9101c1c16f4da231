import { describe, expect, it } from "@effect/vitest"
import { Local, withContext, wrapGather } from "aiocontext/compat/aiolocals"
import { Effect, Fiber, Queue } from "effect"
import { bridged, sleep } from "../../support.js"

describe("1,000 contexts with 10 children", () => {
  const roots = Array.from({ length: 1000 }, (_, n) => `r-${n}`)

  const children = Array.from({ length: 10 }, (_, n) => n)

  const foo = new Local<{ id: string; count: number }>()

  it("see their own state only, in promise tasks", async () => {
    const child = async () => {
      const before = foo.id
      await sleep(Math.random() * 10)
      foo.count!++
      return before === foo.id ? before : "mixed up"
    }
    const root = (id: string) =>
      withContext({ locals: [foo] }, async () => {
        foo.id = id
        foo.count = 0
        const seen = await wrapGather(...children.map(() => child))
        return [id, new Set(seen).size, seen[0], foo.count]
      })
    expect(await Promise.all(roots.map(root))).toEqual(roots.map((id) => [id, 1, id, 10]))
  })

  it("see their own state only, in fibers that wake each other", () =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<number>()
      const child = Effect.gen(function*() {
        const before = foo.id
        yield* Queue.take(queue)
        const middle = foo.id
        yield* Queue.offer(queue, 1)
        yield* Effect.promise(() => Promise.resolve())
        foo.count!++
        return before === middle && middle === foo.id ? before : "mixed up"
      })
      const root = (id: string) =>
        withContext(
          { locals: [foo] },
          Effect.gen(function*() {
            foo.id = id
            foo.count = 0
            const seen = yield* Effect.forEach(children, () => child, { concurrency: "unbounded" })
            return [id, new Set(seen).size, seen[0], foo.count]
          })
        )
      const storm = yield* Effect.fork(Effect.forEach(roots, root, { concurrency: "unbounded" }))
      yield* Queue.offer(queue, 1)
      expect(yield* Fiber.join(storm)).toEqual(roots.map((id) => [id, 1, id, 10]))
    }).pipe(bridged, Effect.runPromise))
})
