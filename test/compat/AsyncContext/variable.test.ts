import { describe, expect, it } from "@effect/vitest"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { withResolvers } from "../../support.js"

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

describe("test262: AsyncContext.Variable", () => {
  it("constructor-name, constructor-name-defaults-to-empty-string", () => {
    const named = (name: unknown) => new AsyncContext.Variable({ name: name as string }).name
    expect(new AsyncContext.Variable().name).toBe("")
    expect(new AsyncContext.Variable({}).name).toBe("")
    expect(named("foo")).toBe("foo")
    expect(named(undefined)).toBe("undefined")
    expect(named(null)).toBe("null")
    expect(named(42)).toBe("42")
    expect(named({ toString: () => "object" })).toBe("object")
    expect(() => named(Symbol("s"))).toThrow(TypeError)
    expect(new AsyncContext.Variable(Object.create({ name: "inherited" })).name).toBe("inherited")
    expect(new AsyncContext.Variable((() => {}) as {}).name).toBe("")
    for (const primitive of [null, undefined, 1, "name", true, Symbol("s")]) {
      expect(new AsyncContext.Variable(primitive as any).name).toBe("")
    }
  })

  it("constructor-defaultValue, constructor-defaultValue-defaults-to-undefined", () => {
    const value = {}
    expect(new AsyncContext.Variable({ defaultValue: value }).get()).toBe(value)
    expect(new AsyncContext.Variable().get()).toBe(undefined)
    expect(new AsyncContext.Variable({ name: "foo" }).get()).toBe(undefined)
  })

  it("constructor-throwing-*: has, name, its toString, defaultValue, in that order", () => {
    const calls: Array<string> = []
    const options = (failing: string) =>
      new Proxy({}, {
        has: (_, key) => {
          calls.push(`has ${String(key)}`)
          if (failing === "has") {
            throw new CustomError()
          }
          return true
        },
        get: (_, key) => {
          calls.push(`get ${String(key)}`)
          if (failing === key) {
            throw new CustomError()
          }
          return {
            toString: () => {
              calls.push("toString")
              if (failing === "toString") {
                throw new CustomError()
              }
              return ""
            }
          }
        }
      })
    const all = ["has name", "get name", "toString", "get defaultValue"]
    for (const [count, failing] of ["has", "name", "toString", "defaultValue"].entries()) {
      calls.length = 0
      expect(() => new AsyncContext.Variable(options(failing))).toThrow(CustomError)
      expect(calls).toEqual(all.slice(0, count + 1))
    }
    calls.length = 0
    expect(new AsyncContext.Variable(options("none")).name).toBe("")
    expect(calls).toEqual(all)
  })

  it("prototype/name: a getter without a setter", () => {
    const own = descriptor(AsyncContext.Variable.prototype, "name")!
    expect(own).toMatchObject({ set: undefined, enumerable: false, configurable: true })
    expect([own.get!.name, own.get!.length]).toEqual(["get name", 0])
    expect(isConstructor(own.get)).toBe(false)
  })

  const notVariables = [undefined, null, 1, "s", Symbol("s"), true, {}, [], AsyncContext.Variable.prototype]

  it("context-is-not-object, -variable-object, -snapshot-object: run, get and name throw a TypeError", () => {
    const { run, get } = AsyncContext.Variable.prototype
    const name = descriptor(AsyncContext.Variable.prototype, "name")!.get!
    let called = false
    for (const bad of [...notVariables, new AsyncContext.Snapshot()]) {
      expect(() => run.call(bad as any, 1, () => void (called = true))).toThrow(TypeError)
      expect(() => get.call(bad as any)).toThrow(/get was called on something that is no AsyncContext.Variable/)
      expect(() => name.call(bad)).toThrow(TypeError)
    }
    expect(called).toBe(false)
  })

  it("get: returns-default-value-outside-run, returns-value-set-in-run, returns-undefined-if-set-in-run", () => {
    const variable = new AsyncContext.Variable<string | undefined>({ defaultValue: "default" })
    expect(variable.get()).toBe("default")
    expect(variable.run("set", () => variable.get())).toBe("set")
    expect(variable.run(undefined, () => variable.get())).toBe(undefined)
    for (const falsy of [0, "", false, null, Number.NaN]) {
      const other = new AsyncContext.Variable<unknown>({ defaultValue: "default" })
      expect(other.run(falsy, () => other.get())).toBe(falsy)
    }
  })

  it("run: calls-callback-with-args, -with-undefined-this, returns-callback-return-value", () => {
    const variable = new AsyncContext.Variable<number>()
    const calls: Array<unknown> = []
    const f = function(this: unknown, ...args: Array<unknown>) {
      calls.push([this, args])
      return "result"
    }
    expect(variable.run(1, f)).toBe("result")
    expect(variable.run(1, f, 1, 2, 3)).toBe("result")
    expect(calls).toEqual([[undefined, []], [undefined, [1, 2, 3]]])
  })

  it("run: throws-if-callback-is-not-callable, throws-if-callback-throws; the mapping is restored", () => {
    const variable = new AsyncContext.Variable<number>()
    for (const bad of [undefined, null, 1, "f", {}, Symbol("s")]) {
      expect(() => variable.run(1, bad as any)).toThrow(/run takes a function/)
      expect(variable.get()).toBe(undefined)
    }
    variable.run(0, () => {
      expect(() =>
        variable.run(1, () => {
          throw new CustomError()
        })
      ).toThrow(CustomError)
      expect(variable.get()).toBe(0)
    })
  })

  it("run: restores-context-snapshot-after-callback, -takes-snapshot, -returns-promise", async () => {
    const variable = new AsyncContext.Variable<string>()
    variable.run("outer", () => {
      variable.run("inner", () => {})
      expect(variable.get()).toBe("outer")
      variable.run("inner", () => new AsyncContext.Snapshot())
      expect(variable.get()).toBe("outer")
      void variable.run("inner", () => Promise.resolve())
      expect(variable.get()).toBe("outer")
    })
  })

  it("run: returns-async-callback-return-value, returned-promise-does-not-resolve-in-snapshot", async () => {
    const variable = new AsyncContext.Variable<string>()
    const promise = Promise.resolve(1)
    expect(variable.run("a", () => promise)).toBe(promise)
    const { promise: gate, resolve } = withResolvers()
    const seen = variable.run("foo", () =>
      variable.run("bar", async () => {
        const before = variable.get()
        await gate
        return [before, variable.get()]
      }).then((inner) => [inner, variable.get()]))
    resolve()
    expect(await seen).toEqual([["bar", "bar"], "foo"])
  })

  it("run: swaps-context-snapshot-before-callback, unrelated-snapshot-entries-keep-their-value", () => {
    const a = new AsyncContext.Variable<string>()
    const b = new AsyncContext.Variable<string>()
    a.run("a", () => {
      const snapshot = b.run("b", () => {
        expect([a.get(), b.get()]).toEqual(["a", "b"])
        return new AsyncContext.Snapshot()
      })
      expect(snapshot.run(() => [a.get(), b.get()])).toEqual(["a", "b"])
      expect([a.get(), b.get()]).toEqual(["a", undefined])
    })
  })
})
