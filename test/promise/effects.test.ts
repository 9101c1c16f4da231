import { describe, expect, it } from "@effect/vitest"
import { compat, ContextLayer } from "aiocontext"
import { Context as Service, Effect, Exit, Fiber, FiberRef, HashMap } from "effect"
import { bridged, sleep } from "../support.js"
import { everywhere, Request, request } from "./everywhere.js"

describe("back to Effect", () => {
  class Greeting extends Service.Tag("test/promise/effects/Greeting")<Greeting, string>() {}

  everywhere("runPromise and runFork run a child task of this one", async () => {
    request.set("user", "ann")
    const seen = await request.runPromise(Effect.gen(function*() {
      const seen = yield* Request.get("user")
      yield* Request.set("user", "child's")
      yield* Effect.sleep(1)
      return [seen, request.get("user")]
    }))
    expect(seen).toEqual(["ann", "child's"])
    expect(request.get("user")).toBe("ann")
    expect(await Effect.runPromise(Fiber.join(request.runFork(Request.get("id"))))).toBe("a")
  })

  it.live("with everything that the fiber had", () => {
    const ref = FiberRef.unsafeMake("initial")
    return Effect.gen(function*() {
      yield* FiberRef.set(ref, "the fiber's")
      const seen = yield* Effect.promise(async () => {
        await sleep(1)
        return compat.runPromise(Effect.gen(function*() {
          return [
            yield* Request.get("id"),
            yield* Greeting,
            yield* FiberRef.get(ref),
            (yield* Effect.currentSpan).name,
            HashMap.toEntries(yield* FiberRef.get(FiberRef.currentLogAnnotations))
          ]
        }))
      })
      expect(seen).toEqual(["a", "service", "the fiber's", "span", [["line", 1]]])
    }).pipe(
      Effect.annotateLogs("line", 1),
      Effect.withSpan("span"),
      Effect.provideService(Greeting, "service"),
      Request.provide({ id: "a" }),
      bridged
    )
  })

  everywhere("a failure rejects with the cause", async () => {
    await expect(request.runPromise(Effect.fail(new RangeError("own")))).rejects.toThrow("own")
    await expect(compat.runPromise(Greeting as never)).rejects.toThrow(
      /Service not found: test\/promise\/effects\/Greeting/
    )
  })

  everywhere("a signal interrupts the fiber", async () => {
    const controller = new AbortController()
    const fiber = compat.runFork(Effect.never, { signal: controller.signal })
    controller.abort()
    expect(Exit.isInterrupted(await Effect.runPromise(Fiber.await(fiber)))).toBe(true)
    const late = compat.runFork(Effect.never, { signal: AbortSignal.abort() })
    expect(Exit.isInterrupted(await Effect.runPromise(Fiber.await(late)))).toBe(true)
  })

  it.live("is interruptible, even from an uninterruptible region", () =>
    Effect.uninterruptible(Effect.promise(async () => {
      const fiber = compat.runFork(Effect.never)
      fiber.unsafeInterruptAsFork(fiber.id())
      await Effect.runPromise(Fiber.await(fiber))
    })).pipe(Effect.provide(ContextLayer)))
})
