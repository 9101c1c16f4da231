import { describe, expect, it } from "@effect/vitest"
import { compat, context, Ctx, NoTaskError } from "aiocontext"
import * as aiolocals from "aiocontext/compat/aiolocals"
import * as aiotask from "aiocontext/compat/aiotask"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { Effect } from "effect"
import { asApp, asTask, gated, sleep } from "../../support.js"

describe("a run is a part of the task that calls it", () => {
  it("in promise code: maps are read and written, before and after an await", () =>
    asTask(async () => {
      const variable = new AsyncContext.Variable<string>()
      context.set("a", 1)
      await variable.run("v", async () => {
        expect(context.get("a")).toBe(1)
        context.set("a", 2)
        await sleep(1)
        context.set("b", variable.get())
      })
      expect(context.toObject()).toEqual({ a: 2, b: "v" })
    }))

  it("in a fiber: its lines, its promise steps, nested runs and snapshots", () => {
    const a = new AsyncContext.Variable<string>()
    const b = new AsyncContext.Variable<string>()
    return asApp(Effect.gen(function*() {
      const snapshot = new AsyncContext.Snapshot()
      a.run("a", () => {
        context.set("one", a.get())
        b.run("b", () => {
          context.set("two", `${a.get()}${b.get()}${context.get("one")}`)
          snapshot.run(() => context.set("three", a.get() ?? "none"))
          expect([a.get(), b.get(), context.get("three")]).toEqual(["a", "b", "none"])
        })
        expect(context.get("two")).toBe("aba")
      })
      expect([context.get("one"), yield* Ctx.get("two"), yield* Ctx.get("three")]).toEqual(["a", "aba", "none"])
      yield* Effect.promise(() =>
        a.run("p", async () => {
          context.set("one", 1)
          await sleep(1)
          await b.run("q", async () => {
            await sleep(1)
            context.set("two", `${a.get()}${b.get()}${context.get("one")}`)
          })
        })
      )
      expect([yield* Ctx.get("one"), yield* Ctx.get("two")]).toEqual([1, "pq1"])
    }))
  })

  it("outside every task what starts a task has it, whichever system does", () => {
    const variable = new AsyncContext.Variable<string>()
    const seen = variable.run("v", () => [
      context.run({}, () => variable.get()),
      aiotask.run(() => variable.get()),
      aiolocals.withContext({ locals: [new aiolocals.Local()] }, () => variable.get())
    ])
    expect(seen).toEqual(["v", "v", "v"])
  })

  it("outside every task there is still none in it", async () => {
    const variable = new AsyncContext.Variable<string>()
    expect(() => variable.run("v", () => context.get("a"))).toThrow(NoTaskError)
    expect(() => variable.run("v", () => compat.fork(() => 1))).toThrow(NoTaskError)
    expect(variable.run("v", () => context.attached)).toBe(false)
    await expect(variable.run("v", async () => {
      await sleep(1)
      context.set("a", 1)
    })).rejects.toThrow(NoTaskError)
    expect(variable.run("v", () => asTask(() => variable.get()))).toBe("v")
  })

  it("left-over code of it keeps the values of its moment, and its writes are its own", () => {
    const variable = new AsyncContext.Variable<string>()
    return asApp(Effect.gen(function*() {
      const { open, start } = gated()
      yield* Ctx.set("a", "first")
      yield* Effect.promise(() =>
        variable.run("v", async () => {
          context.set("a", "step")
          start(() => {
            const before = context.get("a")
            context.set("a", "left-over")
            return [variable.get(), before, context.get("a")]
          })
        })
      )
      yield* Ctx.set("a", "second")
      expect(yield* Effect.promise(open)).toEqual([["v", "step", "left-over"]])
      expect(yield* Ctx.get("a")).toBe("second")
    }))
  })

  it("bind and snapshot of the task keep its variables", () =>
    asTask(() => {
      const variable = new AsyncContext.Variable<string>()
      const [bound, kept] = variable.run("v", () => [compat.bind(() => variable.get()), compat.snapshot()] as const)
      variable.run("other", () => {
        expect([bound(), kept(() => variable.get()), variable.get()]).toEqual(["v", "v", "other"])
      })
    }))

  it("children of the task start with its variables: fork, all, timeout", () =>
    asTask(() => {
      const variable = new AsyncContext.Variable<string>()
      const read = async () => {
        await sleep(1)
        return variable.get()
      }
      return variable.run("v", async () => {
        expect(await compat.fork(read)).toBe("v")
        expect(await compat.all([read, read])).toEqual(["v", "v"])
        expect(await compat.timeout(read, "1 second")).toBe("v")
      })
    }))

  it("nests deeply without keeping what it left", () => {
    const variable = new AsyncContext.Variable<number>()
    const nest = (depth: number): number => depth === 0 ? variable.get()! : variable.run(depth, () => nest(depth - 1))
    expect(asTask(() => nest(300))).toBe(1)
    expect(variable.get()).toBe(undefined)
  })
})
