import { describe, expect, it } from "@effect/vitest"
import { compat, context } from "aiocontext"
import { Context, ContextVar, isolate } from "aiocontext/compat/contextvars"
import { Effect } from "effect"
import { asApp, asTask, sleep } from "../../support.js"

/** Runs code in a context without values, so that tests do not meet. */
const isolated = <A>(f: () => A): A => new Context().run(f)

describe("the examples of PEP 550", () => {
  it("a generator's writes are its own, and hold between its steps", () =>
    isolated(() => {
      const var1 = new ContextVar<string>("var1")
      const var2 = new ContextVar<string>("var2")
      const seen: Array<unknown> = []
      const gen = isolate(function*() {
        var1.set("gen")
        seen.push(var1.get(), var2.get())
        yield 1
        seen.push(var1.get())
        yield 2
      })
      var2.set("main")
      const g = gen()
      var1.set("main")
      g.next()
      expect(var1.get()).toBe("main")
      var1.set("main modified")
      g.next()
      expect(var1.get()).toBe("main modified")
      expect(seen).toEqual(["gen", "main", "gen"])
    }))

  it("decimal contexts of two generators that are zipped", () => {
    const precision = new ContextVar("precision", { default: 28 })
    const divide = (x: number, y: number) => Number((x / y).toPrecision(precision.get()))
    const fractions = isolate(function*(digits: number, x: number, y: number) {
      precision.set(digits)
      yield divide(x, y)
      yield divide(x, y ** 2)
    })
    const g1 = fractions(2, 1, 3)
    const g2 = fractions(6, 2, 3)
    const items = Array.from(g1, (value) => [value, g2.next().value])
    expect(items).toEqual([[0.33, 0.666667], [0.11, 0.222222]])
    expect(precision.get()).toBe(28)
  })

  it("a nested generator does not write to the one that drives it", () => {
    const variable = new ContextVar<string>("var")
    const nested = isolate(function*() {
      const before = variable.get()
      variable.set("nested")
      yield before
      yield variable.get()
    })
    const gen = isolate(function*() {
      variable.set("gen")
      const n = nested()
      yield n.next().value
      variable.set("gen-mod")
      yield [variable.get(), n.next().value, variable.get()]
    })
    expect([...gen()]).toEqual(["gen", ["gen-mod", "nested", "gen-mod"]])
    expect(variable.get(null)).toBe(null)
  })

  it("a value that is set is seen by the coroutine that awaits, and not through a timeout", () =>
    asTask(async () => {
      const variable = new ContextVar<string>("var")
      const sub = (value: string) => async () => {
        await sleep(1)
        variable.set(value)
      }
      variable.set("main")
      await sub("sub-1")()
      expect(variable.get()).toBe("sub-1")
      await compat.timeout(sub("sub-2"), "1 second")
      expect(variable.get()).toBe("sub-1")
    }))

  it("gen_series: a generator with a variable of its own", () => {
    const variable = new ContextVar<number>("var")
    const series = isolate(function*(n: number) {
      variable.set(10)
      for (let i = 1; i < n; i++) {
        yield variable.get() * i
      }
    })
    expect([...series(4)]).toEqual([10, 20, 30])
    expect(variable.get(null)).toBe(null)
  })
})

describe("isolate", () => {
  it("keeps return and throw inside, and whatever context calls them", () => {
    const variable = new ContextVar("var", { default: "outside" })
    const seen: Array<string> = []
    const gen = isolate(function*() {
      variable.set("inside")
      try {
        yield 1
      } catch {
        seen.push(variable.get())
        variable.set("caught")
      }
      try {
        yield 2
      } finally {
        seen.push(variable.get())
        variable.set("closed")
      }
    })
    const g = gen()
    g.next()
    new Context().run(() => {
      variable.set("elsewhere")
      expect(g.throw(new Error("no"))).toEqual({ value: 2, done: false })
      expect(variable.get()).toBe("elsewhere")
    })
    expect(g.return("end" as never)).toEqual({ value: "end", done: true })
    expect(seen).toEqual(["inside", "caught"])
    expect(variable.get()).toBe("outside")
  })

  it("gives an async generator its context across awaits, in a fiber too", () => {
    const variable = new ContextVar("var", { default: "outside" })
    const gen = isolate(async function*() {
      variable.set("inside")
      await sleep(1)
      yield variable.get()
      await sleep(1)
      variable.set("later")
      yield variable.get()
    })
    const drive = async () => {
      const seen: Array<string> = []
      for await (const value of gen()) {
        seen.push(value, variable.get())
        variable.set("driver")
      }
      return seen
    }
    const expected = ["inside", "outside", "later", "driver"]
    return asApp(Effect.gen(function*() {
      expect(yield* Effect.promise(drive)).toEqual(expected)
      expect(variable.get()).toBe("driver")
    })).then(() => new Context().run(drive)).then((seen) => expect(seen).toEqual(expected))
  })

  it("takes the context that the function is called in, and hands on this and arguments", () => {
    const variable = new ContextVar<string>("var")
    const reader = isolate(function*(this: { readonly suffix: string }, prefix: string) {
      yield prefix + variable.get() + this.suffix
    })
    const g = new Context().run(() => {
      variable.set("called")
      return reader.call({ suffix: "!" }, "?")
    })
    new Context().run(() => {
      variable.set("driven")
      expect([...g]).toEqual(["?called!"])
    })
  })

  it("belongs to the driving task in all else", () =>
    asTask(() => {
      const variable = new ContextVar("var", { default: "outside" })
      const gen = isolate(function*() {
        variable.set("inside")
        context.set("written", true)
        yield context.get("written")
      })
      expect([...gen()]).toEqual([true])
      expect(context.get("written")).toBe(true)
      expect(variable.get()).toBe("outside")
    }))

  it("runs an Effect generator with values of its own", () => {
    const variable = new ContextVar("var", { default: "outside" })
    return asApp(Effect.gen(function*() {
      const seen = yield* Effect.gen(isolate(function*() {
        variable.set("inside")
        yield* Effect.sleep(1)
        return variable.get()
      }))
      expect([seen, variable.get()]).toEqual(["inside", "outside"])
    }))
  })

  it("refuses what is no generator function", () => {
    expect(() => isolate(1 as any)).toThrow(/isolate takes a function.*got 1/)
    expect(() => isolate((() => 1) as any)()).toThrow(/takes a generator function.*gave 1/)
  })
})
