import { describe, expect, it } from "@effect/vitest"
import { compat, ForkError } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { chainmapTaskFactory, copyingTaskFactory, taskFactory } from "aiocontext/compat/aiotask"
import { Effect, HashMap } from "effect"
import { withResolvers } from "../../support.js"

const { fork } = compat

describe("the factory of a root holds for all tasks below it", () => {
  const below = (depth: number): Promise<void> =>
    fork(async () => {
      aiotask.set("depth", depth)
      await compat.runPromise(Effect.gen(function*() {
        aiotask.set("depth", `fiber below ${depth}`)
        yield* Effect.promise(() => fork(async () => aiotask.set("depth", `task of a fiber below ${depth}`)))
      }))
      if (depth < 3) {
        await below(depth + 1)
      }
      aiotask.set(`back-${depth}`, aiotask.get("depth"))
    })

  it("which share with taskFactory, fibers too", () =>
    aiotask.run(async () => {
      await below(1)
      expect(aiotask.get("depth")).toBe("task of a fiber below 3")
    }, taskFactory))

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    it(`which are apart with ${factory.name}, fibers too`, () =>
      aiotask.run(async () => {
        aiotask.set("depth", "root")
        await below(1)
        expect([aiotask.get("depth"), aiotask.get("back-1")]).toEqual(["root", undefined])
      }, factory))
  }
})

describe("chainmapTaskFactory", () => {
  it("lets a child read its parent's current entries", () =>
    aiotask.run(async () => {
      aiotask.set("key", "before")
      const { promise, resolve } = withResolvers()
      const child = fork(async () => {
        await promise
        return aiotask.get("key")
      })
      aiotask.set("key", "after")
      resolve()
      expect(await child).toBe("after")
    }, chainmapTaskFactory))

  it("clears the child's own entries, so that its parent's show again", () =>
    aiotask.run(async () => {
      aiotask.set("key", "parent")
      await fork(async () => {
        aiotask.set("key", "child")
        aiotask.set("own", "child")
        aiotask.clear()
        expect([aiotask.get("key"), aiotask.get("own")]).toEqual(["parent", undefined])
      })
      aiotask.clear()
      expect(aiotask.get("key")).toBeUndefined()
    }, chainmapTaskFactory))
})

describe("taskFactory", () => {
  it("clears for all that share the map", () =>
    aiotask.run(async () => {
      aiotask.set("key", "parent")
      await fork(async () => aiotask.clear())
      expect(aiotask.get("key")).toBeUndefined()
    }))
})

describe("copyingTaskFactory", () => {
  class Account {
    readonly opened = new Date(0)
    constructor(readonly owners: Array<string>, public self?: Account) {}
    first() {
      return this.owners[0]
    }
  }

  const copyOf = <A>(value: A): Promise<A> =>
    aiotask.run(async () => {
      aiotask.set("value", value)
      return fork(async () => aiotask.get<A>("value")!)
    }, copyingTaskFactory)

  it("copies objects, arrays, maps, sets, dates and buffers", async () => {
    const value = {
      list: [{ n: 1 }],
      map: new Map([[{ key: 1 }, ["v"]]]),
      set: new Set(["a"]),
      date: new Date(1),
      bytes: new Uint8Array([1, 2]),
      pattern: /a+/g,
      missing: undefined,
      nested: [undefined, [2]],
      [Symbol.for("s")]: { n: 2 }
    }
    const copy = await copyOf(value)
    expect(copy).toStrictEqual(value)
    expect(copy.list[0]).not.toBe(value.list[0])
    expect([...copy.map.keys()][0]).not.toBe([...value.map.keys()][0])
    expect(copy.date).not.toBe(value.date)
    expect(copy.bytes.buffer).not.toBe(value.bytes.buffer)
    expect(copy[Symbol.for("s")]).not.toBe(value[Symbol.for("s")])
  })

  it("keeps functions, cycles, shared parts and classes", async () => {
    const account = new Account(["ann"])
    account.self = account
    const call = () => "called"
    const copy = await copyOf({ account, again: account, call, nothing: null })
    expect(copy.account).not.toBe(account)
    expect(copy.account).toBeInstanceOf(Account)
    expect(copy.account.self).toBe(copy.account)
    expect(copy.again).toBe(copy.account)
    expect(copy.account.first()).toBe("ann")
    expect(copy.account.opened.getTime()).toBe(0)
    expect(copy.call).toBe(call)
    expect(copy.nothing).toBeNull()
  })

  it("keeps an error's class, message and fields", async () => {
    const error = Object.assign(new RangeError("far", { cause: () => 1 }), { code: 7 })
    const copy = await copyOf(error)
    expect(copy).not.toBe(error)
    expect(copy).toBeInstanceOf(RangeError)
    expect([copy.message, copy.code, copy.stack]).toEqual(["far", 7, error.stack])
    const frozen = Object.freeze(new RangeError("near"))
    expect((await copyOf(frozen)).stack).toBe(frozen.stack)
  })

  it("copies Effect's collections to equal ones", async () => {
    const value = HashMap.make(["a", 1], ["b", 2])
    expect(HashMap.toEntries(await copyOf(value)).toSorted()).toEqual([["a", 1], ["b", 2]])
  })

  it("fails the child, and names the key, where a value cannot be copied", () =>
    aiotask.run(async () => {
      aiotask.set("fine", 1)
      for (const value of [Promise.resolve(), new WeakMap(), new AbortController().signal]) {
        aiotask.set("job", { value })
        await expect(fork(async () => 1)).rejects.toThrow(ForkError)
        await expect(fork(async () => 1)).rejects.toThrow(/key "job"/)
      }
      aiotask.set("job", undefined)
      expect(await fork(async () => aiotask.get("fine"))).toBe(1)
    }, copyingTaskFactory))
})
