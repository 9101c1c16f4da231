import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context, ContextLayer, Ctx } from "aiocontext"
import { Effect, Stream } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { bridged, inChild, sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/steps/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>() {}

const request = compat.make(Request)

const withRequest = (id: string) => Request.provide({ request_id: id })

describe("imperative code called by a fiber sees the fiber's map", () => {
  const read = () => request.get("request_id")

  const cases: Record<string, Effect.Effect<string, unknown, Request>> = {
    "Effect.sync": Effect.sync(read),
    "Effect.suspend": Effect.suspend(() => Effect.succeed(read())),
    "Effect.try": Effect.try(read),
    "Effect.promise": Effect.promise(async () => read()),
    "Effect.promise, after an await": Effect.promise(async () => {
      await sleep(1)
      return read()
    }),
    "Effect.tryPromise": Effect.tryPromise(async () => {
      await Promise.resolve()
      return read()
    }),
    "Effect.async": Effect.async<string>((resume) => {
      setTimeout(() => resume(Effect.succeed(read())), 1)
    }),
    "a generator's own lines": Effect.gen(function*() {
      yield* Effect.sleep(1)
      return read()
    }),
    "Effect.map": Effect.map(Effect.sleep(1), read),
    "a finalizer": Effect.suspend(() => {
      let seen = ""
      return Effect.sleep(1).pipe(
        Effect.ensuring(Effect.sync(() => {
          seen = read()
        })),
        Effect.map(() => seen)
      )
    }),
    "a scope's finalizer": Effect.suspend(() => {
      let seen = ""
      return Effect.scoped(Effect.addFinalizer(() =>
        Effect.promise(async () => {
          await sleep(1)
          seen = read()
        })
      )).pipe(Effect.map(() => seen))
    }),
    "a Stream callback": Stream.make(1, 2).pipe(
      Stream.mapEffect((n) => Effect.as(Effect.sleep(1), n)),
      Stream.map(read),
      Stream.runHead,
      Effect.map((head) => head._tag === "Some" ? head.value : "none")
    ),
    "Effect.iterate": Effect.iterate("", { while: (seen) => seen === "", body: () => Effect.sync(read) }),
    "Effect.forEach with concurrency": Effect.forEach(
      [1, 2, 3],
      () =>
        Effect.promise(async () => {
          await sleep(1)
          return read()
        }),
      { concurrency: 2 }
    ).pipe(Effect.map((all) => new Set(all).size === 1 ? all[0]! : "mixed")),
    "Effect.onExit": Effect.suspend(() => {
      let seen = ""
      return Effect.onExit(Effect.void, () => Effect.sync(() => void (seen = read()))).pipe(Effect.map(() => seen))
    })
  }

  for (const [name, effect] of Object.entries(cases)) {
    it.live(name, () =>
      effect.pipe(
        withRequest(name),
        bridged,
        Effect.map((seen) => expect(seen).toBe(name))
      ))
  }
})

describe("what imperative code sets", () => {
  it.live("the fiber sees as soon as it goes on, and so does a child forked then", () =>
    Effect.gen(function*() {
      yield* Effect.promise(async () => {
        request.set("user", "a")
        await sleep(1)
        request.set("user", request.get("user") + "b")
      })
      expect(yield* Request.get("user")).toBe("ab")
      expect(yield* inChild(Request.get("user"))).toBe("ab")
      yield* Effect.sync(() => request.set("user", "c"))
      expect(yield* Request.get("user")).toBe("c")
    }).pipe(withRequest("r"), bridged))

  it.live("the fiber sees, also where the code is started by a suspended effect that then waits for it", () =>
    Effect.gen(function*() {
      const write = async (user: string) => {
        await sleep(1)
        request.set("user", user)
      }
      yield* Effect.suspend(() => {
        const written = write("suspended")
        return Effect.promise(() => written)
      })
      expect(yield* Request.get("user")).toBe("suspended")
    }).pipe(withRequest("r"), bridged))

  it.live("is seen by imperative code of later steps", () =>
    Effect.gen(function*() {
      yield* Effect.sync(() => request.set("user", "a"))
      expect(yield* Effect.sync(() => request.get("user"))).toBe("a")
      expect(request.get("user")).toBe("a")
      const later = yield* Effect.promise(async () => {
        await sleep(1)
        return request.get("user")
      })
      expect(later).toBe("a")
    }).pipe(withRequest("r"), bridged))

  it.live("costs the same for the last of many writes of a step as for the first", () =>
    Effect.gen(function*() {
      const begun = performance.now()
      yield* Effect.sync(() => {
        for (let i = 0; i < 50_000; i++) {
          request.set("user", String(i))
        }
      })
      expect(yield* Request.get("user")).toBe("49999")
      // a cost that grows with the writes before it takes several times as long
      expect(performance.now() - begun).toBeLessThan(4000)
    }).pipe(withRequest("r"), bridged))

  it.live("under another library's storage lands on the fiber, whatever that storage restores", () =>
    Effect.gen(function*() {
      const storage = new AsyncLocalStorage<number>()
      yield* Effect.sync(() => {
        storage.run(1, () => {
          context.set("a", 1)
          storage.run(2, () => context.set("a", 2))
          context.set("b", context.get("a"))
        })
        context.set("c", context.get("b"))
      })
      expect([yield* Ctx.get("a"), yield* Ctx.get("b"), yield* Ctx.get("c")]).toEqual([2, 2, 2])
      yield* Effect.promise(async () => {
        await storage.run(1, async () => {
          await sleep(1)
          context.set("a", 3)
          await storage.exit(async () => {
            await sleep(1)
            context.set("b", context.get("a"))
          })
        })
        context.set("c", context.get("b"))
      })
      expect([yield* Ctx.get("a"), yield* Ctx.get("b"), yield* Ctx.get("c")]).toEqual([3, 3, 3])
    }).pipe(Effect.provide(ContextLayer)))

  it.effect("in a fiber's own lines the fiber sees, and they see what it sets", () =>
    Effect.gen(function*() {
      context.set("a", 1)
      expect(yield* Ctx.get("a")).toBe(1)
      yield* Ctx.set("a", 2)
      expect(context.get("a")).toBe(2)
    }).pipe(Effect.provide(ContextLayer)))
})
