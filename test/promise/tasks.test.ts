import { describe, expect } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { sleep, withResolvers } from "../support.js"
import { everywhere, request } from "./everywhere.js"

describe("child tasks", () => {
  everywhere("start with the parent's map and cannot change it", async () => {
    request.set("user", "ann")
    const seen = await compat.all([
      async () => {
        const seen = request.get("user")
        request.set("user", "first's")
        await sleep(1)
        return [seen, request.get("user")]
      },
      () => request.get("user")
    ])
    expect(seen).toEqual([["ann", "first's"], "ann"])
    expect(request.get("user")).toBe("ann")
  })

  everywhere("a parent's later write does not reach its child", async () => {
    const { promise, resolve } = withResolvers()
    const child = compat.fork(async () => {
      await promise
      return request.get("user")
    })
    request.set("user", "late")
    resolve()
    expect(await child).toBe(undefined)
  })

  everywhere("an awaited function is the same task", async () => {
    await (async () => {
      await sleep(1)
      request.set("user", "ann")
    })()
    expect(request.get("user")).toBe("ann")
  })

  everywhere("fail as their code fails", async () => {
    await expect(compat.fork(() => {
      throw new RangeError("own")
    })).rejects.toThrow(RangeError)
    await expect(compat.all([async () => 1, () => Promise.reject(new RangeError("own"))])).rejects.toThrow(RangeError)
    await expect(compat.timeout(() => Promise.reject(new RangeError("own")), "1 minute")).rejects.toThrow(RangeError)
  })

  everywhere("fork strategies hold for them", () => {
    class Chained extends Context.Tag("test/promise/tasks/Chained")<Chained>({ fork: "chain" }) {}
    const chained = compat.make(Chained)
    return chained.run({ a: 1 }, async () => {
      const { promise, resolve } = withResolvers()
      const child = compat.fork(async () => {
        chained.set("b", 2)
        await promise
        return chained.toObject()
      })
      chained.set("a", 3)
      resolve()
      expect(await child).toEqual({ a: 3, b: 2 })
      expect(chained.toObject()).toEqual({ a: 3 })
    })
  })
})
