import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Deferred, Effect, Fiber } from "effect"
import { plain } from "../support.js"

class Share extends Context.Tag("test/fork/share/Share")<Share>({ fork: "share" }) {}

describe("share", () => {
  it.effect("parent and child are one map, whoever writes", () =>
    Effect.gen(function*() {
      const written = yield* Deferred.make<void>()
      const asked = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.gen(function*() {
        yield* Share.set("child", 1)
        yield* Deferred.succeed(written, undefined)
        yield* Deferred.await(asked)
        return plain(yield* Share.data)
      }))
      yield* Deferred.await(written)
      expect(yield* Share.get("child")).toBe(1)
      yield* Share.set("parent", 1)
      yield* Deferred.succeed(asked, undefined)
      expect(yield* Fiber.join(fiber)).toEqual({ seed: 1, child: 1, parent: 1 })
    }).pipe(Effect.provide(Share.layer({ seed: 1 }))))

  it.effect("two attachments are two maps", () =>
    Effect.gen(function*() {
      yield* Share.set("a", "outer")
      yield* Share.set("a", "inner").pipe(Share.provide({}))
      expect(yield* Share.get("a")).toBe("outer")
    }).pipe(Share.provide({})))
})
