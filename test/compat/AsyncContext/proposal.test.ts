import { describe, expect, it } from "@effect/vitest"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { Effect } from "effect"
import { asApp, asTask } from "../../support.js"

interface Value {
  readonly id: number
}

const first: Value = { id: 1 }

const second: Value = { id: 2 }

const third: Value = { id: 3 }

describe("the proposal's own suite (tests/async-context.test.ts)", () => {
  // as there, each case runs from the initial state, in a run, and in a run of which a snapshot was taken; here in a
  // task and in a fiber besides
  const test = (name: string, f: () => void) => {
    it(name, async () => {
      f()
      const throwaway = new AsyncContext.Variable<null>()
      throwaway.run(null, f)
      throwaway.run(null, () => {
        AsyncContext.Snapshot.wrap(() => {})
        f()
      })
      asTask(f)
      await asApp(Effect.sync(f))
      expect.hasAssertions()
    })
  }

  describe("run and get", () => {
    test("has initial undefined state", () => {
      expect(new AsyncContext.Variable<Value>().get()).toBe(undefined)
    })

    test("return value", () => {
      const ctx = new AsyncContext.Variable<Value>()
      expect(ctx.run(second, () => first)).toBe(first)
    })

    test("get returns current context value", () => {
      const ctx = new AsyncContext.Variable<Value>()
      ctx.run(first, () => expect(ctx.get()).toBe(first))
    })

    test("get within nesting contexts", () => {
      const ctx = new AsyncContext.Variable<Value>()
      ctx.run(first, () => {
        expect(ctx.get()).toBe(first)
        ctx.run(second, () => expect(ctx.get()).toBe(second))
        expect(ctx.get()).toBe(first)
      })
      expect(ctx.get()).toBe(undefined)
    })

    test("get within nesting different contexts", () => {
      const a = new AsyncContext.Variable<Value>()
      const b = new AsyncContext.Variable<Value>()
      const seen = () => [a.get(), b.get()]
      a.run(first, () => {
        expect(seen()).toEqual([first, undefined])
        b.run(second, () => expect(seen()).toEqual([first, second]))
        expect(seen()).toEqual([first, undefined])
      })
      expect(seen()).toEqual([undefined, undefined])
    })
  })

  describe("wrap", () => {
    test("stores initial undefined state", () => {
      const ctx = new AsyncContext.Variable<Value>()
      const wrapped = AsyncContext.Snapshot.wrap(() => ctx.get())
      ctx.run(first, () => expect(wrapped()).toBe(undefined))
    })

    test("stores current state", () => {
      const ctx = new AsyncContext.Variable<Value>()
      const wrapped = ctx.run(first, () => {
        const wrapped = AsyncContext.Snapshot.wrap(() => ctx.get())
        expect([wrapped(), ctx.get()]).toEqual([first, first])
        return wrapped
      })
      expect([wrapped(), ctx.get()]).toEqual([first, undefined])
    })

    test("runs within wrap, taken before and after another run", () => {
      const ctx = new AsyncContext.Variable<Value>()
      const make = () => AsyncContext.Snapshot.wrap(() => [ctx.get(), ctx.run(second, () => ctx.get()), ctx.get()])
      const [before, after] = ctx.run(first, () => {
        const before = make()
        expect(ctx.get()).toBe(first)
        ctx.run(second, () => expect(ctx.get()).toBe(second))
        const after = make()
        expect(ctx.get()).toBe(first)
        return [before, after]
      }) as [() => unknown, () => unknown]
      expect(before()).toEqual([first, second, first])
      expect(after()).toEqual([first, second, first])
      expect(ctx.get()).toBe(undefined)
    })

    // "runs different context within wrap" and its 2: a run of the same, and of the other variable between
    for (const which of ["same", "other"]) {
      test(`runs different context within wrap: a run of the ${which} variable between`, () => {
        const a = new AsyncContext.Variable<Value>()
        const b = new AsyncContext.Variable<Value>()
        const seen = () => [a.get(), b.get()]
        const make = () => AsyncContext.Snapshot.wrap(() => [seen(), b.run(second, seen), seen()])
        const expected = [[first, undefined], [first, second], [first, undefined]]
        const wrapped = a.run(first, () => {
          const before = make()
          ;(which === "same" ? a : b).run(second, () => {})
          const after = make()
          expect(seen()).toEqual([first, undefined])
          return [before, after]
        })
        wrapped.forEach((f) => expect(f()).toEqual(expected))
        expect(seen()).toEqual([undefined, undefined])
      })
    }

    test("wrap within nesting contexts", () => {
      const ctx = new AsyncContext.Variable<Value>()
      const read = () => ctx.get()
      const [firstWrap, secondWrap] = ctx.run(first, () => {
        const firstWrap = AsyncContext.Snapshot.wrap(read)
        expect(firstWrap()).toBe(first)
        const secondWrap = ctx.run(second, () => {
          const secondWrap = AsyncContext.Snapshot.wrap(() => [firstWrap(), ctx.get()])
          expect(firstWrap()).toBe(first)
          expect(secondWrap()).toEqual([first, second])
          expect(ctx.get()).toBe(second)
          return secondWrap
        })
        expect([firstWrap(), secondWrap(), ctx.get()]).toEqual([first, [first, second], first])
        return [firstWrap, secondWrap] as const
      })
      expect([firstWrap(), secondWrap(), ctx.get()]).toEqual([first, [first, second], undefined])
    })

    test("wrap within nesting different contexts", () => {
      const a = new AsyncContext.Variable<Value>()
      const b = new AsyncContext.Variable<Value>()
      const seen = () => [a.get(), b.get()]
      const [firstWrap, secondWrap] = a.run(first, () => {
        const firstWrap = AsyncContext.Snapshot.wrap(seen)
        expect(firstWrap()).toEqual([first, undefined])
        const secondWrap = b.run(second, () => {
          const secondWrap = AsyncContext.Snapshot.wrap(() => [firstWrap(), seen()])
          expect(firstWrap()).toEqual([first, undefined])
          expect(secondWrap()).toEqual([[first, undefined], [first, second]])
          expect(seen()).toEqual([first, second])
          return secondWrap
        })
        expect(seen()).toEqual([first, undefined])
        return [firstWrap, secondWrap] as const
      })
      expect(firstWrap()).toEqual([first, undefined])
      expect(secondWrap()).toEqual([[first, undefined], [first, second]])
      expect(seen()).toEqual([undefined, undefined])
    })

    // "wrap within nesting different contexts", 2 to 6: a further snapshot is taken nowhere, or at one of four places
    for (const place of [0, 1, 2, 3, 4]) {
      test(`wrap within nesting different contexts, ${place + 2}`, () => {
        const a = new AsyncContext.Variable<Value>()
        const b = new AsyncContext.Variable<Value>()
        const c = new AsyncContext.Variable<Value>()
        const seen = () => [a.get(), b.get(), c.get()]
        const take = (here: number) => here === place && AsyncContext.Snapshot.wrap(() => {})
        const wrapped = a.run(first, () => {
          take(2)
          const wrapped = b.run(second, () => {
            take(1)
            const wrapped = c.run(third, () => AsyncContext.Snapshot.wrap(seen))
            take(3)
            expect(seen()).toEqual([first, second, undefined])
            return wrapped
          })
          take(4)
          expect(seen()).toEqual([first, undefined, undefined])
          return wrapped
        })
        expect(seen()).toEqual([undefined, undefined, undefined])
        expect(wrapped()).toEqual([first, second, third])
        expect(seen()).toEqual([undefined, undefined, undefined])
      })
    }

    test("wrap out of order", () => {
      const ctx = new AsyncContext.Variable<Value>()
      const read = () => ctx.get()
      const firstWrap = ctx.run(first, () => AsyncContext.Snapshot.wrap(read))
      const secondWrap = ctx.run(second, () => AsyncContext.Snapshot.wrap(read))
      expect([firstWrap(), secondWrap(), firstWrap(), secondWrap()]).toEqual([first, second, first, second])
    })
  })
})

// Cases that are not here, and why:
//
// - test262's generator, async generator, `yield*` and FinalizationRegistry cases: the language's own parts would have
//   to swap the mapping. A library cannot; see the module's header.
// - unhandledrejection and the web's events (WEB-INTEGRATION.md): a host's part. Node's timers and promises are followed.
// - proto-from-ctor-realm, wrapped-function/has-prototype-from-current-realm: the classes are of one realm.
// - wrapped-function/length in test262's older form (ToLength of a string, no Infinity): the spec text now says
//   CopyNameAndLength.
// - the global property `AsyncContext`: the module exports it.
