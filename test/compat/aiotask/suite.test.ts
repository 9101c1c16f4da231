import { describe, expect, it } from "@effect/vitest"
import { compat, context, NoTaskError } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { chainmapTaskFactory, copyingTaskFactory } from "aiocontext/compat/aiotask"
import { Deferred, Effect, HashMap } from "effect"
import { bridged, sleep } from "../../support.js"

const { all, fork, timeout } = compat

describe("the library's own tests of get, set and clear", () => {
  it("test_get_ok", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      expect(aiotask.get("key")).toBe("value")
    }))

  it("test_get_missing_key", () =>
    aiotask.run(() => {
      aiotask.set("random", "value")
      expect(aiotask.get("key", "default")).toBe("default")
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("test_get_missing_context", () =>
    context.run({}, () => {
      expect(aiotask.get("key", "default")).toBe("default")
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("test_set", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      aiotask.set("key", "updated_value")
      expect(aiotask.get("key")).toBe("updated_value")
    }))

  it("test_get_without_loop", () => {
    expect(() => aiotask.get("key", "default")).toThrow(NoTaskError)
  })

  it("test_set_without_loop", () => {
    expect(() => aiotask.set("random", "value")).toThrow(NoTaskError)
  })

  it("test_clear", () =>
    aiotask.run(() => {
      aiotask.set("key", "value")
      expect(aiotask.get("key")).toBe("value")
      aiotask.clear()
      expect(aiotask.get("key")).toBeUndefined()
    }))

  it("clears without a trace on Effect's one empty map", () =>
    aiotask.run(() => {
      const before = Object.getOwnPropertySymbols(HashMap.empty())
      aiotask.set("key", "value")
      aiotask.clear()
      expect(Object.getOwnPropertySymbols(HashMap.empty())).toEqual(before)
    }, copyingTaskFactory))

  it("test_clear_without_loop", () => {
    expect(() => aiotask.clear()).toThrow(NoTaskError)
  })
})

describe("the library's own tests of the task factories", () => {
  it("test_propagates_context", () =>
    aiotask.run(async () => {
      aiotask.set("key", "value")
      expect(await fork(async () => aiotask.get("key"))).toBe("value")
    }))

  it("test_sets_empty_context", () =>
    aiotask.run(async () => {
      expect(await fork(async () => aiotask.get("key", "none"))).toBe("none")
    }))

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    const title = factory === copyingTaskFactory
      ? "test_propagates_copy_of_context"
      : "test_propagates_chainmap_context"
    it(title, () =>
      aiotask.run(async () => {
        aiotask.set("key", "value")
        const child = await fork(async () => {
          aiotask.set("foo", "bar")
          return [aiotask.get("key"), aiotask.get("foo")]
        })
        expect(child).toEqual(["value", "bar"])
        expect(aiotask.get("foo")).toBeUndefined()
      }, factory))
  }
})

describe("the library's own acceptance tests", () => {
  const changeContext = async () => {
    expect(aiotask.get("key")).toBe("value")
    aiotask.set("key", "what")
    aiotask.set("other", "data")
  }

  const spawn: Record<string, () => Promise<unknown>> = {
    test_ensurefuture_context_propagation: () => fork(changeContext),
    test_waitfor_context_propagation: () => timeout(changeContext, "1 second"),
    test_gather_context_propagation: () => all([changeContext])
  }

  for (const [title, start] of Object.entries(spawn)) {
    it(title, () =>
      aiotask.run(async () => {
        aiotask.set("key", "value")
        await start()
        expect(aiotask.get("key")).toBe("what")
        expect(aiotask.get("other")).toBe("data")
      }))
  }

  const roots = 1000

  const children = 10

  const ids = (prefix: string) => Array.from({ length: roots }, (_, n) => `${prefix}-${n}`)

  it("test_ensure_future_concurrent, in promise tasks", async () => {
    const last = async () => {
      await sleep(Math.random() * 20)
      return aiotask.get("key")
    }
    const child = async (n: number) => {
      await sleep(Math.random() * 20)
      const first = aiotask.get("key")
      await sleep(Math.random() * 20)
      const second = await last()
      return { n, key: first === second ? first : `${first}, then ${second}` }
    }
    const root = (id: string) =>
      aiotask.run(async () => {
        aiotask.set("key", id)
        return all(Array.from({ length: children }, (_, n) => () => child(n)))
      })
    const results = await Promise.all(ids("p").map(root))
    expect(results.map((seen) => seen.map(({ key, n }) => `${key} ${n}`))).toEqual(
      ids("p").map((id) => Array.from({ length: children }, (_, n) => `${id} ${n}`))
    )
  })

  it("test_ensure_future_concurrent, in fibers that meet at one gate", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let arrived = 0
      const child = Effect.gen(function*() {
        const first = aiotask.get("key")
        yield* ++arrived === roots * children ? Deferred.succeed(gate, undefined) : Deferred.await(gate)
        const second = aiotask.get("key")
        const third = yield* Effect.promise(async () => {
          await sleep(Math.random() * 5)
          return aiotask.get("key")
        })
        return [first, second, third]
      })
      const root = (id: string) =>
        aiotask.run(Effect.gen(function*() {
          aiotask.set("key", id)
          return yield* Effect.forEach(Array.from({ length: children }), () => child, { concurrency: "unbounded" })
        }))
      const results = yield* Effect.forEach(ids("f"), root, { concurrency: "unbounded" })
      expect(results.map((seen) => [...new Set(seen.flat())])).toEqual(ids("f").map((id) => [id]))
    }).pipe(bridged, Effect.runPromise))
})

// Of the library's own tests these have no counterpart:
//
// - test_loop_bug_aiohttp, test_closed_loop: JavaScript has one event loop, which is neither set nor closed.
// - test_sets_traceback: a promise has no creation traceback in asyncio's debug mode.
// - the conftest's second run of each test, on uvloop: there is one loop.
// - the direct calls `task_factory(loop, coro)`: a factory is given to `run`, and holds for what `compat` and Effect start.
