import { describe, expect, it } from "@effect/vitest"
import { compat, NoTaskError } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Deferred, Effect } from "effect"
import { asTask, bridged, withResolvers } from "../../support.js"

const { all } = compat

describe("the library's own tests", () => {
  for (const strict of [true, false]) {
    const title = strict ? "test_local" : "test_local_non_strict_mode"
    it(`${title}, in promise tasks`, () =>
      asTask(async () => {
        const mine = local<{ value: string }>({ strict })
        const log1: Array<unknown> = []
        const log2: Array<unknown> = []
        const { promise: future1, resolve: wake1 } = withResolvers()
        const { promise: future2, resolve: wake2 } = withResolvers()
        await all([
          async () => {
            log1.push(Object.entries(mine))
            await future1
            log1.push(Object.entries(mine))
            mine.value = "Task 1"
            log1.push(Object.entries(mine))
            wake2()
          },
          async () => {
            log2.push(Object.entries(mine))
            mine.value = "Task 2"
            wake1()
            await future2
            log2.push(Object.entries(mine))
          }
        ])
        expect(log1).toEqual([[], [], [["value", "Task 1"]]])
        expect(log2).toEqual([[], [["value", "Task 2"]]])
      }))

    it(`${title}, in fibers`, () =>
      Effect.gen(function*() {
        const mine = local<{ value: string }>({ strict })
        const log1: Array<unknown> = []
        const log2: Array<unknown> = []
        const future1 = yield* Deferred.make<void>()
        const future2 = yield* Deferred.make<void>()
        yield* Effect.all([
          Effect.gen(function*() {
            log1.push(Object.entries(mine))
            yield* Deferred.await(future1)
            log1.push(Object.entries(mine))
            mine.value = "Task 1"
            log1.push(Object.entries(mine))
            yield* Deferred.succeed(future2, undefined)
          }),
          Effect.gen(function*() {
            log2.push(Object.entries(mine))
            mine.value = "Task 2"
            yield* Deferred.succeed(future1, undefined)
            yield* Deferred.await(future2)
            log2.push(Object.entries(mine))
          })
        ], { concurrency: "unbounded" })
        expect(log1).toEqual([[], [], [["value", "Task 1"]]])
        expect(log2).toEqual([[], [["value", "Task 2"]]])
      }).pipe(bridged, Effect.runPromise))
  }

  it("test_local_outside_of_task", () => {
    const mine = local<{ foo: number }>()
    expect(() => {
      mine.foo = 1
    }).toThrow(NoTaskError)
  })

  it("test_local_outside_of_task_non_strict_mode", () => {
    const mine = local<{ foo: number }>({ strict: false })
    mine.foo = 1
    expect(mine.foo).toBe(1)
  })
})

// Of the library's own tests and documented behaviour these have no counterpart:
//
// - `object.__getattribute__(mylocal, "_local__impl").dicts == {}`, the check that nothing is left: there is no such table.
//   The tests with a garbage collection stand for it.
// - `local(loop=…)`: JavaScript has one event loop.
// - a subclass with `__init__`: `init` stands for it.
// - AttributeError for a missing attribute, and for deleting one: a missing property is `undefined`, and `delete` says true.
// - a non-strict local outside tasks shares one dict with all others there: here each has its own bag.
