import { describe, expect, it } from "@effect/vitest"
import { compat, Context, context, ContextLayer, Ctx } from "aiocontext"
import { Effect, FiberRef, Layer, ManagedRuntime } from "effect"
import { bridged, sleep } from "../support.js"

class Request extends Context.Tag("test/bridge/attach-and-leave/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

const request = compat.make(Request)

describe("the bridge", () => {
  it("is there in runSync", () => {
    const program = Effect.gen(function*() {
      yield* Ctx.set("a", 1)
      return context.get("a")
    })
    expect(Effect.runSync(Effect.provide(program, ContextLayer))).toBe(1)
  })

  it.live("is there when merged, and in a ManagedRuntime", () =>
    Effect.promise(async () => {
      const managed = ManagedRuntime.make(
        Layer.mergeAll(compat.layer, Request.layer({ id: "m" }), ContextLayer)
      )
      const read = Effect.promise(async () => {
        await sleep(1)
        return request.get("id") + request.attached + context.attached
      })
      expect(await managed.runPromise(read)).toBe("mtruetrue")
      expect(managed.runSync(Effect.sync(() => request.get("id")))).toBe("m")
      await managed.dispose()
    }))

  it.live("leaves nothing in the fiber", () =>
    Effect.gen(function*() {
      const sequential = yield* Effect.yieldNow().pipe(bridged, Effect.andThen(Effect.getFiberRefs))
      yield* Effect.void.pipe(Effect.provide(Layer.mergeAll(compat.layer, ContextLayer)))
      yield* Effect.yieldNow()
      const merged = yield* Effect.getFiberRefs
      for (const { locals } of [sequential, merged]) {
        expect(locals.has(FiberRef.currentScheduler)).toBe(false)
        expect(locals.has(FiberRef.currentSupervisor)).toBe(false)
        expect(locals.has(Ctx.ref)).toBe(false)
      }
      const exit = yield* Effect.exit(Effect.sync(() => context.get("x")))
      expect(String(exit)).toContain("BridgeError")
    }))
})
