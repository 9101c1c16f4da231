import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Deferred, Effect, Fiber } from "effect"
import * as locals from "../src/internal/local.js"
import * as tasks from "../src/internal/task.js"
import { often } from "./support.js"

class Chained extends Context.Tag("test/forks/Chained")<Chained>({ fork: Context.chain }) {}
class Copied extends Context.Tag("test/forks/Copied")<Copied>({ fork: Context.deepCopy }) {}

describe("a child of a task that has written nothing itself", () => {
  it("sees what that task writes later, under chain, in fibers", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.gen(function*() {
        const grandchild = yield* Effect.fork(Effect.zipRight(Deferred.await(written), Chained.get("key")))
        yield* Chained.set("key", "parent's")
        yield* Deferred.succeed(written, undefined)
        return yield* Fiber.join(grandchild)
      }))
      expect(yield* Fiber.join(child)).toBe("parent's")
    }).pipe(Chained.provide({}), Effect.runPromise))

  it("sees what that task writes later, under chain, in promise tasks", () => {
    const chained = compat.make(Chained)
    return chained.run({}, () =>
      compat.fork(async () => {
        let written = () => {}
        const gate = new Promise<void>((resolve) => {
          written = resolve
        })
        const grandchild = compat.fork(async () => {
          await gate
          return chained.get("key")
        })
        chained.set("key", "parent's")
        written()
        expect(await grandchild).toBe("parent's")
      }))
  })
})

describe("a line of tasks that each start the next one", () => {
  // how much a task holds of the maps of those before it
  const history = () => tasks.stateOf(tasks.currentOrThrow("test")).locals.get(Copied.ref)!.length

  it("holds nothing of those before it, in promise tasks", async () => {
    const line = (n: number): Promise<number> => n === 0 ? Promise.resolve(history()) : compat.fork(() => line(n - 1))
    expect(await compat.make(Copied).run({ value: {} }, () => line(often(100, 10)))).toBe(1)
  })

  it("holds nothing of those before it, in fibers", () => {
    const line = (n: number): Effect.Effect<number> =>
      n === 0 ? Effect.sync(history) : Effect.flatten(Effect.fork(Effect.suspend(() => line(n - 1))))
    return Effect.gen(function*() {
      expect(yield* line(often(100, 10))).toBe(1)
    }).pipe(Copied.provide({ value: {} }), Effect.provide(compat.layer), Effect.runPromise)
  })
})

describe("a task-local value with a seed", () => {
  const local = locals.makeLocal<{ n: number } | undefined>("test/forks/seeded", undefined, {
    fork: (value) => value,
    seed: () => ({ n: 0 })
  })
  const value = () => tasks.valueOf(tasks.currentOrThrow("test"), local)

  it("is there once a task starts a child, and not before", () =>
    Effect.gen(function*() {
      expect(value()).toBeUndefined()
      const child = yield* Fiber.join(yield* Effect.fork(Effect.sync(value)))
      expect(child).toEqual({ n: 0 })
      expect(value()).toBe(child)
      expect(yield* Effect.promise(() => compat.fork(async () => value()))).toBe(child)
    }).pipe(Effect.provide(compat.layer), Effect.runPromise))

  it("of left-over code stays its own", () =>
    Effect.gen(function*() {
      let release = () => {}
      const gate = new Promise<void>((resolve) => {
        release = resolve
      })
      let leftOver: Promise<unknown> = Promise.resolve()
      yield* Effect.promise(async () => {
        leftOver = gate.then(() => compat.fork(async () => value()))
      })
      release()
      expect(yield* Effect.promise(() => leftOver)).toEqual({ n: 0 })
      expect(value()).toBeUndefined()
    }).pipe(Effect.provide(compat.layer), Effect.runPromise))
})
