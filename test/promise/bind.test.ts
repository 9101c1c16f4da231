import { describe, expect, it } from "@effect/vitest"
import { compat, context, ContextLayer, Ctx } from "aiocontext"
import { Effect } from "effect"
import { EventEmitter } from "node:events"
import { bridged, sleep } from "../support.js"
import { everywhere, Request, request } from "./everywhere.js"

describe("bind and snapshot", () => {
  everywhere("run in the captured task, whoever calls", async () => {
    const emitter = new EventEmitter()
    const seen: Array<unknown> = []
    emitter.on("event", compat.bind((n: number) => seen.push([n, request.get("id")])))
    const run = compat.snapshot()
    await request.run({ id: "other" }, async () => {
      emitter.emit("event", 1)
      await sleep(1)
      emitter.emit("event", 2)
      seen.push(run(() => request.get("id")))
    })
    expect(seen).toEqual([[1, "a"], [2, "a"], "a"])
  })

  it("outside every task they still know theirs", async () => {
    const [bound, run] = request.run(
      { id: "a" },
      () => [compat.bind(() => request.get("id")), compat.snapshot()] as const
    )
    await sleep(1)
    expect(bound()).toBe("a")
    expect(run(() => request.get("id"))).toBe("a")
    expect(request.attached).toBe(false)
  })

  it("pass this, arguments and the result on", () => {
    const bound = request.run({ id: "a" }, () =>
      compat.bind(function(this: { n: number }, a: number) {
        return this.n + a
      }))
    expect(bound.call({ n: 1 }, 2)).toBe(3)
  })

  it.live("of a step that waits write to its fiber", () =>
    Effect.gen(function*() {
      yield* Effect.async<void>((resume) => {
        const set = compat.bind((user: string) => request.set("user", user))
        setTimeout(() => {
          set("live")
          resume(Effect.void)
        }, 1)
      })
      expect(yield* Request.get("user")).toBe("live")
    }).pipe(Request.provide({ id: "a" }), bridged))
})

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
