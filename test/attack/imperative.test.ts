import { describe, expect, it } from "@effect/vitest"
import { compat, context, ContextLayer, Ctx } from "aiocontext"
import { Effect } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

// Imperative code belongs to the task that runs it, left-over code to the past

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

describe("a captured task", () => {
  const captures = {
    bind: <A>(f: () => A) => compat.bind(f),
    snapshot: <A>(f: () => A) => {
      const run = compat.snapshot()
      return () => run(f)
    }
  }
  for (const [name, capture] of Object.entries(captures)) {
    it.live(`${name}: is the fiber for as long as the step lasts that captured it`, () =>
      Effect.gen(function*() {
        yield* Effect.sync(() => {
          const set = capture(() => context.set("a", 1))
          const get = capture(() => context.get("a"))
          set()
          expect(context.get("a")).toBe(1)
          expect(get()).toBe(1)
          context.set("a", 2)
          expect(get()).toBe(2)
        })
        expect(yield* Ctx.get("a")).toBe(2)
        yield* Effect.promise(async () => {
          const set = capture(() => context.set("a", 3))
          await sleep(1)
          set()
        })
        expect(yield* Ctx.get("a")).toBe(3)
      }).pipe(Effect.provide(ContextLayer)))

    it.live(`${name}: is left-over code from the next step on`, () =>
      Effect.gen(function*() {
        yield* Ctx.set("a", 1)
        const step = yield* Effect.sync(() => ({
          get: capture(() => context.get("a")),
          set: capture(() => context.set("a", "left over"))
        }))
        yield* Effect.sync(() => step.set())
        expect(yield* Ctx.get("a")).toBe(1)
        yield* Ctx.set("a", 2)
        expect(yield* Effect.sync(() => step.get())).toBe(1)
        yield* Effect.promise(async () => {
          await sleep(1)
          step.set()
        })
        expect(yield* Ctx.get("a")).toBe(2)
      }).pipe(Effect.provide(ContextLayer)))
  }
})

describe("what a step sets", () => {
  it.live("under another library's storage lands on the fiber, whatever that storage restores", () =>
    Effect.gen(function*() {
      const storage = new AsyncLocalStorage<number>()
      yield* Effect.sync(() => {
        storage.run(1, () => {
          context.set("a", 1)
          storage.run(2, () => context.set("a", 2))
          context.set("b", context.get("a"))
        })
        context.set("c", context.get("b"))
      })
      expect([yield* Ctx.get("a"), yield* Ctx.get("b"), yield* Ctx.get("c")]).toEqual([2, 2, 2])
      yield* Effect.promise(async () => {
        await storage.run(1, async () => {
          await sleep(1)
          context.set("a", 3)
          await storage.exit(async () => {
            await sleep(1)
            context.set("b", context.get("a"))
          })
        })
        context.set("c", context.get("b"))
      })
      expect([yield* Ctx.get("a"), yield* Ctx.get("b"), yield* Ctx.get("c")]).toEqual([3, 3, 3])
    }).pipe(Effect.provide(ContextLayer)))

  it.live("costs the same for the last of many writes as for the first", () =>
    Effect.gen(function*() {
      const begun = performance.now()
      yield* Effect.sync(() => {
        for (let count = 0; count < 30_000; count++) {
          context.set("count", count)
        }
      })
      expect(yield* Ctx.get("count")).toBe(29_999)
      // a cost that grows with the writes before it takes several times as long
      expect(performance.now() - begun).toBeLessThan(2500)
    }).pipe(Effect.provide(ContextLayer)))
})
