import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect } from "effect"
import { plain } from "../support.js"

class Request extends Context.Tag("test/map/locally/Request")<Request, {
  readonly id: string
  readonly user?: string
}>() {}

describe("locally", () => {
  it.effect("restores its keys and no others, however it ends", () =>
    Effect.gen(function*() {
      const region = Request.locally({ user: "local" })
      yield* region(Effect.gen(function*() {
        expect(yield* Request.get("user")).toBe("local")
        yield* Request.set("user", "changed")
        yield* Request.set("id", "kept")
      }))
      expect(plain(yield* Request.data)).toEqual({ id: "kept" })
      yield* Request.set("user", "ann")
      yield* Effect.exit(region(Effect.fail("no")))
      yield* Effect.exit(region(Effect.interrupt))
      expect(plain(yield* Request.data)).toEqual({ id: "kept", user: "ann" })
    }).pipe(Request.provide({ id: "outer" })))

  it.effect("takes the effect first, or the entries", () =>
    Effect.gen(function*() {
      const read = Request.get("user")
      expect(yield* Request.locally(read, { user: "first" })).toBe("first")
      expect(yield* read.pipe(Request.locally({ user: "piped" }))).toBe("piped")
      expect(yield* Request.provide(Request.get("id"), { id: "provided" })).toBe("provided")
    }).pipe(Request.provide({ id: "outer" })))
})
