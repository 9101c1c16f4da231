import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context, Ctx } from "aiocontext"
import { Effect, Fiber, Layer, Queue, Runtime } from "effect"
import { flatly, growth } from "./growth.js"

class Request
  extends Context.Tag("test/cost/in-a-row/Request")<Request, { readonly id: number; readonly user?: string }>()
{}

describe.sequential("nothing piles up", () => {
  const flat = (name: string, rounds: number, round: Effect.Effect<unknown, never, Request>) =>
    it(name, { timeout: 60_000 }, async () => {
      const program = (rounds: number) =>
        Effect.gen(function*() {
          const before = (yield* Effect.getFiberRefs).locals.size
          yield* Effect.zipRight(round, Effect.yieldNow()).pipe(Effect.repeatN(rounds - 1))
          return (yield* Effect.getFiberRefs).locals.size - before
        }).pipe(Request.provide({ id: 0 }), Effect.provide(compat.layer))
      expect(await Effect.runPromise(program(2))).toBeLessThanOrEqual(1)
      expect(await growth(rounds, (rounds) => Effect.runPromise(program(rounds)))).toBeLessThan(flatly)
    })

  flat("in a fiber that provides a context in a row", 20_000, Request.set("user", "a").pipe(Request.provide({ id: 1 })))

  flat(
    "in a fiber that provides a layer in a row",
    2_000,
    Request.set("user", "a").pipe(Effect.provide(Request.layer({ id: 1 })))
  )

  flat(
    "in a fiber that provides merged layers in a row",
    1_000,
    Request.set("user", "a").pipe(Effect.provide(Layer.mergeAll(Request.layer({ id: 1 }), Ctx.layer({}))))
  )

  flat(
    "in a fiber that forks children in a row",
    8_000,
    Effect.flatMap(Effect.fork(Request.set("user", "a")), Fiber.join)
  )

  flat(
    "in a fiber that runs promise code in a row",
    8_000,
    Effect.promise(async () => {
      await Promise.resolve()
      compat.make(Request).set("user", "a")
    })
  )

  it("in one fiber that suspends in a row, while it lives", { timeout: 60_000 }, async () => {
    const suspended = Effect.gen(function*() {
      const runtime = yield* Effect.runtime<Request>()
      const turns = yield* Queue.unbounded<number>()
      const done = yield* Queue.unbounded<void>()
      yield* Effect.fork(Effect.forever(Effect.gen(function*() {
        const rounds = yield* Queue.take(turns)
        yield* Effect.repeatN(Effect.yieldNow(), rounds - 1)
        yield* Queue.offer(done, undefined)
      })))
      const run = (rounds: number) =>
        Runtime.runPromise(runtime)(Effect.zipRight(Queue.offer(turns, rounds), Queue.take(done)))
      return yield* Effect.promise(() => growth(8_000, run))
    }).pipe(Request.provide({ id: 0 }), Effect.provide(compat.layer))
    expect(await Effect.runPromise(suspended)).toBeLessThan(flatly)
  })

  it("in promise tasks", { timeout: 60_000 }, async () => {
    const run = async (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        await context.run({ id: i }, () =>
          compat.fork(async () => {
            await Promise.resolve()
            context.set("user", "a")
          }))
      }
    }
    expect(await growth(8_000, run)).toBeLessThan(flatly)
  })

  it("100,000 provisions in a row leave as many fiber refs as there were", { timeout: 60_000 }, async () => {
    const counts = await Effect.runPromise(Effect.gen(function*() {
      const before = (yield* Effect.getFiberRefs).locals.size
      yield* Request.set("user", "a").pipe(Request.provide({ id: 1 }), Effect.repeatN(99_999))
      const provided = (yield* Effect.getFiberRefs).locals
      return [before, provided.size, provided.has(Request.ref)]
    }))
    expect(counts[2]).toBe(false)
    expect(counts[1]).toBeLessThanOrEqual(Number(counts[0]) + 1)
  })
})
