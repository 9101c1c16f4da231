import { describe, expect, it } from "@effect/vitest"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { sleep, withResolvers } from "../../support.js"

class CustomError extends Error {}

const descriptor = (target: object, key: PropertyKey) => Object.getOwnPropertyDescriptor(target, key)

const isConstructor = (f: unknown): boolean => {
  try {
    Reflect.construct(Object, [], f as Function)
    return true
  } catch {
    return false
  }
}

describe("test262: AsyncContext.Snapshot", () => {
  it("run: context-is-not-object, -snapshot-object, -variable-object-throws", () => {
    const { run } = AsyncContext.Snapshot.prototype
    for (
      const bad of [undefined, null, 1, "s", {}, AsyncContext.Snapshot.prototype, new AsyncContext.Variable()] as const
    ) {
      expect(() => run.call(bad as any, () => 1)).toThrow(
        /run was called on something that is no AsyncContext.Snapshot/
      )
    }
  })

  it("run: calls-callback-with-args, -with-undefined-this, returns-callback-return-value", () => {
    const f = function(this: unknown, ...args: Array<unknown>) {
      return [this, args]
    }
    expect(new AsyncContext.Snapshot().run(f)).toEqual([undefined, []])
    expect(new AsyncContext.Snapshot().run(f, 1, 2)).toEqual([undefined, [1, 2]])
  })

  it("run: restores-snapshot, restores-unset-variables, restores-previous-context-snapshot-after-callback", () => {
    const a = new AsyncContext.Variable<string>()
    const b = new AsyncContext.Variable<string>({ defaultValue: "default" })
    const snapshot = a.run("a1", () => new AsyncContext.Snapshot())
    a.run("a2", () =>
      b.run("b2", () => {
        expect(snapshot.run(() => [a.get(), b.get()])).toEqual(["a1", "default"])
        expect([a.get(), b.get()]).toEqual(["a2", "b2"])
        expect(() =>
          snapshot.run(() => {
            throw new CustomError()
          })
        ).toThrow(CustomError)
        expect([a.get(), b.get()]).toEqual(["a2", "b2"])
      }))
  })

  it("run: throws-if-callback-is-not-callable", () => {
    for (const bad of [undefined, null, 1, "f", {}]) {
      expect(() => new AsyncContext.Snapshot().run(bad as any)).toThrow(/run takes a function/)
    }
  })

  it("run: returns-async-callback-return-value, returned-promise-does-not-resolve-in-snapshot", async () => {
    const variable = new AsyncContext.Variable<string>()
    const snapshot = variable.run("bar", () => new AsyncContext.Snapshot())
    const { promise: gate, resolve } = withResolvers()
    const seen = variable.run("foo", () =>
      snapshot.run(async () => {
        const before = variable.get()
        await gate
        return [before, variable.get()]
      }).then((inner) => [inner, variable.get()]))
    resolve()
    expect(await seen).toEqual([["bar", "bar"], "foo"])
  })
})

describe("test262: AsyncContext.Snapshot.wrap", () => {
  it("prop-desc, length, name, not-a-constructor, throws-if-callback-is-not-callable", () => {
    expect(descriptor(AsyncContext.Snapshot, "wrap")).toMatchObject({
      writable: true,
      enumerable: false,
      configurable: true
    })
    expect([AsyncContext.Snapshot.wrap.name, AsyncContext.Snapshot.wrap.length]).toEqual(["wrap", 1])
    expect(isConstructor(AsyncContext.Snapshot.wrap)).toBe(false)
    for (const bad of [undefined, null, 1, "f", {}]) {
      expect(() => AsyncContext.Snapshot.wrap(bad as any)).toThrow(/Snapshot.wrap takes a function/)
    }
    const { wrap } = AsyncContext.Snapshot
    expect(wrap(() => 1)()).toBe(1)
  })

  const named = (name: unknown) => Object.defineProperty(() => {}, "name", { value: name, configurable: true })

  const long = (length: unknown) => Object.defineProperty(() => {}, "length", { value: length, configurable: true })

  it("wrapped-function/name: \"wrapped \" before a name that is a string", () => {
    const nameOf = (f: () => void) => AsyncContext.Snapshot.wrap(f).name
    function callback() {}
    expect(nameOf(callback)).toBe("wrapped callback")
    expect(nameOf(named("foo"))).toBe("wrapped foo")
    for (const other of [42, undefined, Symbol("s"), Object("foo"), {}, { toString: () => "foo" }]) {
      expect(nameOf(named(other))).toBe("wrapped ")
    }
    const bare = () => {}
    delete (bare as any).name
    expect(nameOf(bare)).toBe("wrapped ")
    expect(nameOf(Object.setPrototypeOf(bare, { name: "inherited" }))).toBe("wrapped inherited")
    expect(descriptor(AsyncContext.Snapshot.wrap(callback), "name")).toEqual({
      value: "wrapped callback",
      writable: false,
      enumerable: false,
      configurable: true
    })
  })

  it("wrapped-function/length: that of the function, an integer of at least 0", () => {
    const lengthOf = (f: () => void) => AsyncContext.Snapshot.wrap(f).length
    expect(AsyncContext.Snapshot.wrap((_a: number, _b: number) => {}).length).toBe(2)
    const cases = [[0, 0], [42, 42], [-42, 0], [7.2, 7], [7.9, 7], [Number.NaN, 0], [-0, 0], [undefined, 0], ["42", 0]]
    cases.forEach(([length, expected]) => expect(Object.is(lengthOf(long(length)), expected)).toBe(true))
    expect(lengthOf(long(Number.POSITIVE_INFINITY))).toBe(Number.POSITIVE_INFINITY)
    expect(lengthOf(long(Number.NEGATIVE_INFINITY))).toBe(0)
    expect(descriptor(AsyncContext.Snapshot.wrap((_a: number) => {}), "length")).toEqual({
      value: 1,
      writable: false,
      enumerable: false,
      configurable: true
    })
  })

  it("throws-if-* and does-not-throw-if-*: name is got, length only where it is the function's own", () => {
    const failing = (key: string) => ({
      get [key]() {
        throw new CustomError()
      }
    })
    const define = (key: string) => Object.defineProperties(() => {}, Object.getOwnPropertyDescriptors(failing(key)))
    const inherit = (key: string) => {
      const f = () => {}
      delete (f as any)[key]
      return Object.setPrototypeOf(f, failing(key)) as () => void
    }
    expect(() => AsyncContext.Snapshot.wrap(define("name"))).toThrow(CustomError)
    expect(() => AsyncContext.Snapshot.wrap(inherit("name"))).toThrow(CustomError)
    expect(() => AsyncContext.Snapshot.wrap(define("length"))).toThrow(CustomError)
    expect(AsyncContext.Snapshot.wrap(Object.assign(inherit("length"), {})).length).toBe(0)
    const trap = (key: string) =>
      new Proxy(() => {}, {
        getOwnPropertyDescriptor(target, asked) {
          if (asked === key) {
            throw new CustomError()
          }
          return Reflect.getOwnPropertyDescriptor(target, asked)
        }
      })
    expect(() => AsyncContext.Snapshot.wrap(trap("length"))).toThrow(CustomError)
    expect(AsyncContext.Snapshot.wrap(trap("name")).length).toBe(0)
  })

  it("wrapped-function: is-function, not-a-constructor, no prototype", () => {
    const wrapped = AsyncContext.Snapshot.wrap(class A {} as unknown as () => void)
    expect(typeof wrapped).toBe("function")
    expect(isConstructor(wrapped)).toBe(false)
    expect(Object.getPrototypeOf(wrapped)).toBe(Function.prototype)
    expect(Object.hasOwn(wrapped, "prototype")).toBe(false)
  })

  it("wrapped-function: calls-callback with args and this, returns and throws what it does", () => {
    const receiver = {}
    const wrapped = AsyncContext.Snapshot.wrap(function(this: unknown, ...args: Array<unknown>) {
      return [this, args]
    })
    const [self, args] = wrapped.call(receiver, 1, 2) as [unknown, unknown]
    expect(self).toBe(receiver)
    expect(args).toEqual([1, 2])
    expect(wrapped.call(undefined)).toEqual([undefined, []])
    expect(
      AsyncContext.Snapshot.wrap(() => {
        throw new CustomError()
      })
    ).toThrow(CustomError)
  })

  it("wrapped-function: restores-snapshot, -unset-variables, and the previous one after it", () => {
    const a = new AsyncContext.Variable<string>()
    const b = new AsyncContext.Variable<string>()
    const wrapped = a.run("a1", () => AsyncContext.Snapshot.wrap(() => [a.get(), b.get()]))
    a.run("a2", () =>
      b.run("b2", () => {
        expect(wrapped()).toEqual(["a1", undefined])
        expect([a.get(), b.get()]).toEqual(["a2", "b2"])
      }))
  })

  it("wrapped-function: returned-promise-does-not-resolve-in-snapshot", async () => {
    const variable = new AsyncContext.Variable<string>()
    const wrapped = variable.run("bar", () =>
      AsyncContext.Snapshot.wrap(async () => {
        await sleep(1)
        return variable.get()
      }))
    expect(await variable.run("foo", () => wrapped().then((inner) => [inner, variable.get()]))).toEqual(["bar", "foo"])
  })
})
