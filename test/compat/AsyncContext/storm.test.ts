import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { Deferred, Effect } from "effect"
import { asApp, asTask, sleep } from "../../support.js"

describe.sequential("the storm", () => {
  const task = new AsyncContext.Variable<number>()

  const child = new AsyncContext.Variable<string>({ defaultValue: "none" })

  const ids = Array.from({ length: 1_000 }, (_, i) => i)

  const letters = Array.from({ length: 10 }, (_, i) => i)

  const right = ids.map((i) => [i, "none", ...letters.map((j) => `${i}.${j}`)])

  it("1,000 promise tasks with 10 children mix nothing up", async () => {
    const read = async (millis: number) => {
      await sleep(millis)
      return child.get()
    }
    const results = await asTask(() =>
      compat.all(ids.map((i) => () =>
        task.run(i, async () => {
          await sleep(i % 3)
          const seen = await compat.all(
            letters.map((j) => () => child.run(`${task.get()}.${j}`, read, j % 2))
          )
          return [task.get(), child.get(), ...seen]
        })
      ))
    )
    expect(results).toEqual(right)
  }, 60_000)

  it("1,000 fibers with 10 children mix nothing up, woken by each other", async () => {
    const results = await asApp(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const parent = (i: number) =>
        Effect.gen(function*() {
          yield* i === 999 ? Deferred.succeed(gate, undefined) : Deferred.await(gate)
          const seen = yield* Effect.forEach(letters, (j) =>
            Effect.promise(() =>
              child.run(`${task.get()}.${j}`, () =>
                compat.runPromise(Effect.andThen(
                  Effect.sleep(j % 2),
                  Effect.sync(() =>
                    child.get()
                  )
                )))
            ), { concurrency: "unbounded" })
          return [task.get(), child.get(), ...seen]
        })
      return yield* Effect.forEach(
        ids,
        (i) => Effect.promise(() => task.run(i, () => compat.runPromise(parent(i)))),
        { concurrency: "unbounded" }
      )
    }))
    expect(results).toEqual(right)
  }, 60_000)
})
