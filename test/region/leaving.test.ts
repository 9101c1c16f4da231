import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Context as Service, Effect, Layer } from "effect"
import { plain } from "../support.js"

class Request extends Context.Tag("test/region/leaving/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

class Unused extends Service.Tag("test/region/leaving/Unused")<Unused, number>() {}

const read = Request.get("id")

const layer = Request.layer({ id: "seed" })

describe("leaving a region", () => {
  it.effect("by failure, defect or interruption brings the outer map back", () =>
    Effect.gen(function*() {
      const touch = Request.set("user", "inner's")
      for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        yield* Effect.exit(Effect.zipRight(touch, end).pipe(Request.provide({ id: "inner" })))
        yield* Effect.exit(Effect.zipRight(touch, end).pipe(Effect.provide(layer)))
        expect(plain(yield* Request.data)).toEqual({ id: "outer" })
      }
    }).pipe(Request.provide({ id: "outer" })))

  it.effect("leaves as many fiber refs as there were", () =>
    Effect.gen(function*() {
      yield* Effect.provide(Effect.void, Layer.succeed(Unused, 1))
      yield* Effect.provide(Effect.void, Layer.scopedDiscard(Effect.acquireRelease(Effect.void, () => Effect.void)))
      const before = (yield* Effect.getFiberRefs).locals.size
      yield* Effect.zipRight(Request.set("user", "a"), read).pipe(Request.provide({ id: "a" }))
      yield* Effect.zipRight(Request.set("user", "a"), read).pipe(Effect.provide(layer))
      expect((yield* Effect.getFiberRefs).locals.size).toBe(before)
      expect((yield* Effect.getFiberRefs).locals.has(Request.ref)).toBe(false)
    }))
})
