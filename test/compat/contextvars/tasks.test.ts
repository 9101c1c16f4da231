import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { ContextEnteredError, ContextVar, copyContext } from "aiocontext/compat/contextvars"
import { Deferred, Effect, Fiber } from "effect"
import { asTask, gated, sleep, withResolvers } from "../../support.js"

describe("CPython's Lib/test/test_context.py", () => {
  it("test_context_threads_1: ten tasks set one variable, each for itself", () =>
    asTask(async () => {
      const variable = new ContextVar<number>("cvar")
      const results = await compat.all(Array.from({ length: 10 }, (_, num) => async () => {
        for (let i = 0; i < 10; i++) {
          variable.set(num + i)
          await sleep((num * i) % 4)
          expect(variable.get()).toBe(num + i)
        }
        return num
      }))
      expect(results).toEqual(Array.from({ length: 10 }, (_, i) => i))
      expect(variable.get(null)).toBe(null)
    }))
})

describe("CPython's asyncio tests", () => {
  // each of them in both worlds: as promise code, and as fibers
  const nope = () => new ContextVar("cvar", { default: "nope" })

  it("test_tasks test_context_1: a child starts with its parent's values and keeps what it sets", () => {
    const variable = nope()
    return asTask(async () => {
      expect(variable.get()).toBe("nope")
      const { promise, resolve } = withResolvers()
      const child = compat.fork(async () => {
        await promise
        expect(variable.get()).toBe("nope")
        variable.set("something else")
        return variable.get()
      })
      variable.set("yes")
      resolve()
      expect(variable.get()).toBe("yes")
      expect(await child).toBe("something else")
      expect(variable.get()).toBe("yes")
    })
  })

  it.live("test_tasks test_context_1, in fibers", () => {
    const variable = nope()
    return Effect.gen(function*() {
      expect(variable.get()).toBe("nope")
      const gate = yield* Deferred.make<void>()
      const child = yield* Effect.fork(Effect.gen(function*() {
        yield* Deferred.await(gate)
        expect(variable.get()).toBe("nope")
        variable.set("something else")
        return variable.get()
      }))
      variable.set("yes")
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(child)).toBe("something else")
      expect(variable.get()).toBe("yes")
    }).pipe(Effect.provide(compat.layer))
  })

  it("test_tasks test_context_2: a task has its values after each await, whatever callbacks set", async () => {
    const variable = nope()
    await asTask(async () => {
      expect(variable.get()).toBe("nope")
      for (let j = 0; j < 2; j++) {
        const callbacks: Array<() => void> = []
        const done = new Promise<void>((resolve) => callbacks.push(resolve))
        const onDone = copyContext()
        variable.set(`yes${j}`)
        setTimeout(() => {
          onDone.run(() => variable.set("something else"))
          callbacks.forEach((callback) => callback())
        }, 1)
        await done
        expect(variable.get()).toBe(`yes${j}`)
        for (let i = 0; i < 3; i++) {
          variable.set(`yes${i}-${j}`)
          await sleep(1)
          expect(variable.get()).toBe(`yes${i}-${j}`)
        }
      }
    })
    expect(variable.get()).toBe("nope")
  })

  it.live("test_tasks test_context_2, in fibers: a callback of a step that is over is on its own", () => {
    const variable = nope()
    return Effect.gen(function*() {
      for (let j = 0; j < 2; j++) {
        variable.set(`yes${j}`)
        const { open, start } = gated()
        yield* Effect.sync(() =>
          start(() => {
            const before = variable.get()
            variable.set("something else")
            return [before, variable.get()]
          })
        )
        variable.set(`later${j}`)
        expect(yield* Effect.promise(open)).toEqual([[`yes${j}`, "something else"]])
        expect(variable.get()).toBe(`later${j}`)
      }
    }).pipe(Effect.provide(compat.layer))
  })

  it("test_tasks test_context_3: a hundred tasks in parallel", async () => {
    const variable = new ContextVar("cvar", { default: -1 })
    await asTask(() =>
      compat.all(Array.from({ length: 100 }, (_, num) => async () => {
        for (let i = 0; i < 10; i++) {
          variable.set(num + i)
          await sleep((num + i) % 3)
          expect(variable.get()).toBe(num + i)
        }
      }))
    )
    expect(variable.get()).toBe(-1)
  })

  it("test_tasks test_context_4 to 6, test_taskgroup_task_context: a task in a given context", () =>
    asTask(async () => {
      const variable = new ContextVar<number>("cvar")
      const task = (value: number) => async () => {
        await sleep(0)
        variable.set(value)
      }
      const ctx = copyContext()
      const seen = [ctx.get(variable)]
      await compat.fork(task(1), { context: ctx })
      seen.push(ctx.get(variable))
      await compat.fork(task(2), { context: ctx })
      seen.push(ctx.get(variable))
      expect(seen).toEqual([undefined, 1, 2])
      expect(variable.get(null)).toBe(null)
    }))

  it("test_tasks test_context_4 to 6, as fibers", () =>
    asTask(async () => {
      const variable = new ContextVar<number>("cvar")
      const task = (value: number) => Effect.andThen(Effect.sleep(1), Effect.sync(() => variable.set(value)))
      const ctx = copyContext()
      await compat.runPromise(task(1), { context: ctx })
      expect(ctx.get(variable)).toBe(1)
      await compat.runPromise(task(2), { context: ctx })
      expect(ctx.get(variable)).toBe(2)
      expect(variable.get(null)).toBe(null)
    }))

  it("test_tasks test_get_context: what runs in a given context has that very one", () =>
    asTask(async () => {
      const variable = new ContextVar<number>("cvar")
      const ctx = copyContext()
      const token = await compat.fork(async () => variable.set(1), { context: ctx })
      ctx.run(() => variable.reset(token))
      expect(ctx.has(variable)).toBe(false)
    }))

  it("test_eager_task_factory test_context_vars: a child that has begun is on its own", () =>
    asTask(async () => {
      const variable = new ContextVar("cv", { default: 0 })
      const steps: Array<string> = []
      variable.set(1)
      const task = compat.fork(async () => {
        expect(variable.get()).toBe(1)
        variable.set(2)
        expect(variable.get()).toBe(2)
        steps.push("first")
        await sleep(1)
        expect(variable.get()).toBe(2)
        variable.set(3)
        expect(variable.get()).toBe(3)
        steps.push("second")
      })
      expect(steps).toEqual(["first"])
      expect(variable.get()).toBe(1)
      await task
      expect(steps).toEqual(["first", "second"])
      expect(variable.get()).toBe(1)
    }))

  it("test_runners test_run_keeps_context: runs in one context see each other's writes", () =>
    asTask(async () => {
      const variable = new ContextVar("cvar", { default: -1 })
      const ctx = copyContext()
      const run = (value: number) =>
        compat.runPromise(
          Effect.gen(function*() {
            const old = variable.get()
            yield* Effect.sleep(1)
            variable.set(value)
            return old
          }),
          { context: ctx }
        )
      expect(await run(1)).toBe(-1)
      expect(await run(2)).toBe(1)
      const copy = await compat.runPromise(Effect.sync(copyContext), { context: ctx })
      expect(copy.get(variable)).toBe(2)
    }))

  it("test_asyncio/test_context test_asyncio_task_decimal_context: each task has its own precision", () =>
    asTask(async () => {
      const precision = new ContextVar("precision", { default: 28 })
      const divide = (x: number, y: number) => (x / y).toPrecision(precision.get())
      const fractions = (millis: number, digits: number, x: number, y: number) => async () => {
        precision.set(digits)
        const a = divide(x, y)
        await sleep(millis)
        return [a, divide(x, y ** 2)]
      }
      expect(await compat.all([fractions(2, 3, 1, 3), fractions(4, 6, 1, 3)])).toEqual([
        ["0.333", "0.111"],
        ["0.333333", "0.111111"]
      ])
    }))

  it("test_asyncio_independent_contexts: two tasks in turns", () =>
    asTask(async () => {
      const variable = new ContextVar("cvar", { default: "A" })
      const [one, two] = [Effect.runSync(Deferred.make<void>()), Effect.runSync(Deferred.make<void>())]
      const seen = await compat.all([
        async () => {
          const before = variable.get()
          variable.set("B")
          await compat.runPromise(Deferred.succeed(one, undefined))
          await compat.runPromise(Deferred.await(two))
          return [before, variable.get()]
        },
        async () => {
          await compat.runPromise(Deferred.await(one))
          const before = variable.get()
          variable.set("C")
          await compat.runPromise(Deferred.succeed(two, undefined))
          return [before, variable.get()]
        }
      ])
      expect(seen).toEqual([["A", "B"], ["A", "C"]])
      expect(variable.get()).toBe("A")
    }))

  it("a context cannot be entered by the task that runs in it, and can be between its steps", () =>
    asTask(async () => {
      const ctx = copyContext()
      const task = compat.fork(
        async () => {
          expect(() => ctx.run(() => 1)).toThrow(ContextEnteredError)
          expect(() => copyContext().run(() => ctx.run(() => 1))).toThrow(ContextEnteredError)
          await sleep(1)
          expect(() => ctx.run(() => 1)).toThrow(ContextEnteredError)
        },
        { context: ctx }
      )
      expect(ctx.run(() => 1)).toBe(1)
      await task
    }))
})

describe("a task's context", () => {
  it("a context that is none", () =>
    asTask(async () => {
      for (const bad of [1, null, {}, new Map(), "ctx"]) {
        expect(() => compat.fork(() => 1, { context: bad as any })).toThrow(/compat.fork takes a context/)
        expect(() => compat.runFork(Effect.void, { context: bad as any })).toThrow(/compat.runFork takes a context/)
      }
      expect(await compat.fork(() => 1, {})).toBe(1)
    }))
})
