import { describe, expect, it } from "@effect/vitest"
import { AsyncContext, Snapshot, Variable } from "aiocontext/compat/AsyncContext"

const descriptor = (target: object, key: PropertyKey) => Object.getOwnPropertyDescriptor(target, key)

const isConstructor = (f: unknown): boolean => {
  try {
    Reflect.construct(Object, [], f as Function)
    return true
  } catch {
    return false
  }
}

class CustomError extends Error {}

const classes = { Variable: AsyncContext.Variable, Snapshot: AsyncContext.Snapshot } as const

describe("test262: AsyncContext", () => {
  it("Symbol.toStringTag", () => {
    expect(descriptor(AsyncContext, Symbol.toStringTag)).toEqual({
      value: "AsyncContext",
      writable: false,
      enumerable: false,
      configurable: true
    })
    expect(String(AsyncContext)).toBe("[object AsyncContext]")
  })

  it("is an ordinary object, no function and no constructor", () => {
    expect(Object.getPrototypeOf(AsyncContext)).toBe(Object.prototype)
    expect(Object.isExtensible(AsyncContext)).toBe(true)
    expect(typeof AsyncContext).toBe("object")
    expect(isConstructor(AsyncContext)).toBe(false)
  })

  it("the classes are exported by name too", () => {
    expect([AsyncContext.Variable, AsyncContext.Snapshot]).toEqual([Variable, Snapshot])
    const typed: AsyncContext.Variable<string> = new Variable<string>()
    const snapshot: AsyncContext.Snapshot = new Snapshot()
    expect([typed.name, snapshot.run(() => 1)]).toEqual(["", 1])
  })
})

for (const [name, type] of Object.entries(classes)) {
  describe(`test262: AsyncContext.${name}`, () => {
    const make = () => new type() as object

    it("prop-desc, name, length, proto, is-a-constructor", () => {
      const fixed = { writable: false, enumerable: false, configurable: true }
      expect(descriptor(AsyncContext, name)).toEqual({
        value: type,
        writable: true,
        enumerable: false,
        configurable: true
      })
      expect(descriptor(type, "name")).toEqual({ value: name, ...fixed })
      expect(descriptor(type, "length")).toEqual({ value: name === "Variable" ? 1 : 0, ...fixed })
      expect(Object.getPrototypeOf(type)).toBe(Function.prototype)
      expect(isConstructor(type)).toBe(true)
    })

    it("instance-extensible, instance-prototype, returns-new-object-from-constructor", () => {
      const instance = make()
      expect(Object.isExtensible(instance)).toBe(true)
      expect(Object.getPrototypeOf(instance)).toBe(type.prototype)
      expect(Reflect.ownKeys(instance)).toEqual([])
      expect(make()).not.toBe(instance)
    })

    it("undefined-newtarget-throws", () => {
      expect(() => (type as unknown as () => void)()).toThrow(TypeError)
      expect(() => (type as unknown as () => void).call({})).toThrow(TypeError)
    })

    it("prototype: descriptor, proto, constructor, Symbol.toStringTag", () => {
      expect(descriptor(type, "prototype")).toMatchObject({ writable: false, enumerable: false, configurable: false })
      expect(Object.getPrototypeOf(type.prototype)).toBe(Object.prototype)
      expect(descriptor(type.prototype, "constructor")).toEqual({
        value: type,
        writable: true,
        enumerable: false,
        configurable: true
      })
      expect(descriptor(type.prototype, Symbol.toStringTag)).toEqual({
        value: `AsyncContext.${name}`,
        writable: false,
        enumerable: false,
        configurable: true
      })
      expect(String(make())).toBe(`[object AsyncContext.${name}]`)
    })

    it("prototype-from-newtarget, -custom, -abrupt, newtarget-prototype-is-not-object", () => {
      class Extended extends (type as new() => object) {}
      expect(Object.getPrototypeOf(new Extended()) === Extended.prototype).toBe(true)
      function custom() {}
      expect(Object.getPrototypeOf(Reflect.construct(type, [], custom)) === custom.prototype).toBe(true)
      for (const prototype of [undefined, null, 1, "", false, Symbol("s")]) {
        custom.prototype = prototype
        expect(Object.getPrototypeOf(Reflect.construct(type, [], custom)) === type.prototype).toBe(true)
      }
      const abrupt = new Proxy(custom, {
        get() {
          throw new CustomError()
        }
      })
      expect(() => Reflect.construct(type, [], abrupt)).toThrow(CustomError)
    })

    it("methods: descriptors, names, lengths, not-a-constructor", () => {
      const lengths = name === "Variable" ? { run: 2, get: 0 } : { run: 1 }
      for (const [method, length] of Object.entries(lengths)) {
        const own = descriptor(type.prototype, method)!
        expect(own).toMatchObject({ writable: true, enumerable: false, configurable: true })
        expect([own.value.name, own.value.length]).toEqual([method, length])
        expect(Object.getPrototypeOf(own.value)).toBe(Function.prototype)
        expect(isConstructor(own.value)).toBe(false)
      }
    })
  })
}
