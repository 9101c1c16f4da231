import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { ContextVar } from "aiocontext/compat/contextvars"
import { Deferred, Effect } from "effect"
import { asApp, asTask, sleep } from "../../support.js"

describe.sequential("the storm", () => {
  const task = new ContextVar<number>("task")

  const child = new ContextVar<string>("child")

  const ids = Array.from({ length: 1_000 }, (_, i) => i)

  const letters = Array.from({ length: 10 }, (_, i) => i)

  const right = ids.map((i) => [i, null, ...letters.map((j) => `${i}.${j}`)])

  it("1,000 promise tasks with 10 children mix nothing up", async () => {
    const results = await asTask(() =>
      compat.all(ids.map((i) => async () => {
        task.set(i)
        await sleep(i % 3)
        const seen = await compat.all(letters.map((j) => async () => {
          child.set(`${task.get()}.${j}`)
          await sleep(j % 2)
          return child.get()
        }))
        return [task.get(), child.get(null), ...seen]
      }))
    )
    expect(results).toEqual(right)
  }, 60_000)

  it("1,000 fibers with 10 children mix nothing up, woken by each other", async () => {
    const results = await asApp(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      return yield* Effect.forEach(ids, (i) =>
        Effect.gen(function*() {
          task.set(i)
          yield* i === 999 ? Deferred.succeed(gate, undefined) : Deferred.await(gate)
          const seen = yield* Effect.forEach(letters, (j) =>
            Effect.gen(function*() {
              child.set(`${task.get()}.${j}`)
              yield* Effect.promise(() => sleep(j % 2))
              return child.get()
            }), { concurrency: "unbounded" })
          return [task.get(), child.get(null), ...seen]
        }), { concurrency: "unbounded" })
    }))
    expect(results).toEqual(right)
  }, 60_000)
})
