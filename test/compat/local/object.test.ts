import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { asTask, sleep } from "../../support.js"

const { fork } = compat

describe("the running task's properties are seen by", () => {
  const sym = Symbol("sym")

  const filled = () => {
    const mine = local<Record<PropertyKey, unknown>>()
    mine.a = 1
    mine["b"] = { deep: true }
    mine[sym] = 3
    return mine
  }

  const cases: Record<string, (mine: Record<PropertyKey, unknown>) => void> = {
    "in": (mine) => expect(["a" in mine, "c" in mine, sym in mine]).toEqual([true, false, true]),
    "delete": (mine) => {
      expect(delete mine.a).toBe(true)
      expect(delete mine.a).toBe(true)
      expect(["a" in mine, mine.a, Object.keys(mine)]).toEqual([false, undefined, ["b"]])
    },
    "Object.keys, values and entries": (mine) => {
      expect(Object.keys(mine)).toEqual(["a", "b"])
      expect(Object.values(mine)).toEqual([1, { deep: true }])
      expect(Object.entries(mine)).toEqual([["a", 1], ["b", { deep: true }]])
    },
    "Reflect.ownKeys": (mine) => expect(Reflect.ownKeys(mine)).toEqual(["a", "b", sym]),
    "spread and Object.assign": (mine) => {
      expect({ ...mine }).toEqual({ a: 1, b: { deep: true }, [sym]: 3 })
      expect(Object.assign(mine, { c: 4 }).c).toBe(4)
      expect(mine.c).toBe(4)
    },
    "JSON.stringify": (mine) => expect(JSON.stringify(mine)).toBe("{\"a\":1,\"b\":{\"deep\":true}}"),
    "for in": (mine) => {
      const keys: Array<string> = []
      for (const key in mine) {
        keys.push(key)
      }
      expect(keys).toEqual(["a", "b"])
    },
    "destructuring": ({ a, ...rest }) => expect([a, rest]).toEqual([1, { b: { deep: true }, [sym]: 3 }]),
    "Object.hasOwn and descriptors": (mine) => {
      expect([Object.hasOwn(mine, "a"), Object.hasOwn(mine, "c")]).toEqual([true, false])
      expect(Object.getOwnPropertyDescriptor(mine, "a")).toEqual({
        value: 1,
        writable: true,
        enumerable: true,
        configurable: true
      })
    },
    "an update in place": (mine) => {
      mine.n = 0
      mine.n = (mine.n as number) + 1
      expect(mine.n).toBe(1)
    }
  }

  for (const [title, check] of Object.entries(cases)) {
    it(title, () => asTask(() => check(filled())))
  }
})

describe("a local", () => {
  it("is told from every other", () =>
    asTask(() => {
      const one = local<{ n: number }>()
      const two = local<{ n: number }>()
      one.n = 1
      expect([one.n, two.n]).toEqual([1, undefined])
    }))

  it("has a fresh init() in each task, made once a task", () =>
    asTask(async () => {
      let made = 0
      const mine = local({ init: () => ({ list: [] as Array<string>, id: ++made }) })
      mine.list.push("parent")
      const child = await fork(async () => {
        mine.list.push("child")
        await sleep(1)
        return { ...mine }
      })
      expect(child).toEqual({ list: ["child"], id: 2 })
      expect({ ...mine }).toEqual({ list: ["parent"], id: 1 })
      expect(made).toBe(2)
    }))

  it("has what is left after a delete, and not init() again", () =>
    asTask(() => {
      const mine = local<{ n?: number }>({ init: () => ({ n: 1 }) })
      delete mine.n
      expect("n" in mine).toBe(false)
    }))

  it("tries init() again in a task where it threw", () =>
    asTask(() => {
      let fails = true
      const mine = local({
        init: () => {
          if (fails) {
            throw new Error("not yet")
          }
          return { n: 1 }
        }
      })
      expect(() => mine.n).toThrow("not yet")
      fails = false
      expect(mine.n).toBe(1)
    }))

  it("that is not strict has a bag of its own outside tasks, and not one of tasks", async () => {
    const one = local<{ n: number }>({ strict: false })
    const two = local<{ n: number }>({ strict: false, init: () => ({ n: 7 }) })
    one.n = 1
    expect([one.n, two.n]).toEqual([1, 7])
    await asTask(async () => {
      expect([one.n, two.n]).toEqual([undefined, 7])
      one.n = 2
      two.n = 8
    })
    expect([one.n, two.n]).toEqual([1, 7])
    delete (one as { n?: number }).n
    expect(Object.keys(one)).toEqual([])
  })

  it("keeps __proto__ and its like as properties, and no prototype is touched", () =>
    asTask(() => {
      const mine = local<Record<string, unknown>>()
      Object.defineProperty(mine, "__proto__", {
        value: { polluted: true },
        writable: true,
        enumerable: true,
        configurable: true
      })
      mine["constructor"] = "own"
      expect(Object.keys(mine)).toEqual(["__proto__", "constructor"])
      expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
      expect(mine["polluted"]).toBeUndefined()
      expect(Object.getPrototypeOf(mine)).toBe(Object.prototype)
    }))
})
