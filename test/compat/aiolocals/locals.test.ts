import { describe, expect, it } from "@effect/vitest"
import { BridgeError, compat, context, NoTaskError } from "aiocontext"
import { Local, withContext, wrapAsync } from "aiocontext/compat/aiolocals"
import { Effect, Fiber } from "effect"
import { bridged, sleep, withResolvers } from "../../support.js"

describe("a local", () => {
  it("keeps attributes, and a missing one is undefined", () => {
    const foo = new Local<{ bar: string; other: number }>()
    withContext({ locals: [foo] }, () => {
      expect(foo.bar).toBeUndefined()
      foo.bar = "baz"
      expect(["bar" in foo, "other" in foo, Object.keys(foo), { ...foo }]).toEqual([true, false, ["bar"], {
        bar: "baz"
      }])
      delete foo.bar
      expect([foo.bar, Object.keys(foo)]).toEqual([undefined, []])
    })
  })

  it("throws outside a context, and says how to enter one", () => {
    const foo = new Local<{ bar: string }>()
    expect(() => foo.bar).toThrow(NoTaskError)
    expect(() => foo.bar).toThrow(
      "Local[\"bar\"]: it runs in no context of this local. Enter one with withContext({ locals: [theLocal] }, fn)."
    )
    expect(() => {
      foo.bar = "baz"
    }).toThrow(/^Local\["bar"\] = value: /)
    expect(() => delete foo.bar).toThrow(NoTaskError)
    expect(() => Object.keys(foo)).toThrow(NoTaskError)
  })

  it("throws in a task without a context, in one of other locals, and after the context", async () => {
    const foo = new Local<{ bar: string }>()
    const other = new Local()
    context.run({}, () => expect(() => foo.bar).toThrow(NoTaskError))
    withContext({ locals: [other] }, () => expect(() => foo.bar).toThrow(NoTaskError))
    await withContext({ locals: [foo] }, async () => sleep(1))
    expect(() => foo.bar).toThrow(NoTaskError)
  })

  it("throws a BridgeError in a fiber outside compat.layer", () => {
    const foo = new Local<{ bar: string }>()
    const program = withContext({ locals: [foo] }, Effect.try({ try: () => foo.bar, catch: (error) => error }))
    expect(Effect.runSync(Effect.flip(program))).toBeInstanceOf(BridgeError)
  })

  it("may be subclassed, as a class of Python may", () => {
    class Session extends Local<{ user: string }> {
      get greeting() {
        return `hello ${(this as { user?: string }).user ?? "stranger"}`
      }
      set name(name: string) {
        ;(this as { user?: string }).user = name.toLowerCase()
      }
    }
    const session = new Session()
    expect(session).toBeInstanceOf(Session)
    withContext({ locals: [session] }, () => {
      expect(session.greeting).toBe("hello stranger")
      session.name = "ANN"
      expect(session.greeting).toBe("hello ann")
      expect(Object.keys(session)).toEqual(["user"])
    })
  })

  it("can neither be frozen nor given another prototype", () => {
    const foo = new Local()
    expect(() => Object.freeze(foo)).toThrow(/A Local cannot be frozen/)
    expect(() => Object.setPrototypeOf(foo, null)).toThrow(/A Local has no prototype/)
  })
})

describe("a context", () => {
  it("gives what the code gives, and its exception", async () => {
    expect(withContext({ locals: [] }, () => 1)).toBe(1)
    expect(() =>
      withContext({ locals: [] }, () => {
        throw new Error("inside")
      })
    ).toThrow("inside")
    expect(await withContext({ locals: [] }, Effect.succeed(2)).pipe(Effect.runPromise)).toBe(2)
  })

  it("inside another has a state of its own for what it lists, and sees the other's for the rest", () => {
    const foo = new Local<{ n: number }>()
    const bar = new Local<{ n: number }>()
    withContext({ locals: [foo, bar] }, () => {
      foo.n = 1
      bar.n = 1
      withContext({ locals: [foo] }, () => {
        expect([foo.n, bar.n]).toEqual([undefined, 1])
        foo.n = 2
        bar.n = 2
      })
      expect([foo.n, bar.n]).toEqual([1, 2])
    })
  })

  it("of an effect leaves the fiber as it was, however it ends, and is fresh at each run", () =>
    Effect.gen(function*() {
      const foo = new Local<{ n: number }>()
      const inner = withContext(
        { locals: [foo] },
        Effect.sync(() => {
          const before = foo.n
          foo.n = 2
          return before
        })
      )
      yield* withContext(
        { locals: [foo] },
        Effect.gen(function*() {
          foo.n = 1
          expect(yield* inner).toBeUndefined()
          expect(yield* inner).toBeUndefined()
          yield* Effect.exit(withContext({ locals: [foo] }, Effect.die("broken")))
          yield* withContext({ locals: [foo] }, Effect.never).pipe(Effect.timeoutOption(1))
          expect(foo.n).toBe(1)
        })
      )
      expect(() => foo.n).toThrow(NoTaskError)
    }).pipe(bridged, Effect.runPromise))

  it("shares its state with every child task, both ways", () => {
    const foo = new Local<Record<string, number>>()
    return withContext({ locals: [foo] }, async () => {
      await wrapAsync(async () => {
        foo["wrapAsync"] = 1
      })
      await compat.fork(async () => {
        foo["fork"] = 1
      })
      await compat.all([async () => {
        foo["all"] = 1
      }])
      await compat.timeout(async () => {
        foo["timeout"] = 1
      }, "1 second")
      await compat.runPromise(Effect.gen(function*() {
        foo["runPromise"] = 1
        yield* Effect.fork(Effect.sync(() => {
          foo["Effect.fork"] = 1
        })).pipe(Effect.flatMap(Fiber.join))
        yield* Effect.timeout(
          Effect.promise(async () => {
            await sleep(1)
            foo["Effect.timeout"] = 1
          }),
          "1 second"
        )
      }))
      context.run({}, () => {
        foo["context.run"] = 1
      })
      expect(Object.keys(foo).toSorted()).toEqual(
        [
          "Effect.fork",
          "Effect.timeout",
          "all",
          "context.run",
          "fork",
          "runPromise",
          "timeout",
          "wrapAsync"
        ].toSorted()
      )
    })
  })

  it("is kept by left-over code", () =>
    Effect.gen(function*() {
      const foo = new Local<{ n: number }>()
      const { promise, resolve } = withResolvers()
      let leftOver: Promise<unknown> = Promise.resolve()
      yield* withContext(
        { locals: [foo] },
        Effect.promise(async () => {
          foo.n = 1
          leftOver = promise.then(() => foo.n)
        })
      )
      resolve()
      expect(yield* Effect.promise(() => leftOver)).toBe(1)
    }).pipe(bridged, Effect.runPromise))
})

describe("misuse", () => {
  const foo = new Local<{ n: number }>()

  it("of withContext is told before the code runs, and loses nothing", () =>
    withContext({ locals: [foo] }, () => {
      foo.n = 1
      const fail = () => {
        throw new Error("must not run")
      }
      expect(() => withContext(undefined as never, fail)).toThrow(/withContext takes its locals/)
      expect(() => withContext({ locals: foo as never }, fail)).toThrow(/withContext takes its locals/)
      expect(() => withContext({ locals: [{}] }, fail)).toThrow(/made with new Local\(\)/)
      expect(() => withContext({ locals: [undefined as never] }, fail)).toThrow(/made with new Local\(\)/)
      expect(() => withContext({ locals: [foo] }, 7 as never)).toThrow(/withContext takes a function or an effect/)
      expect(foo.n).toBe(1)
    }))
})
