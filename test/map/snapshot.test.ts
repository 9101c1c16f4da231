import { describe, expect, it } from "@effect/vitest"
import { Context } from "aiocontext"
import { Effect } from "effect"

describe("a snapshot", () => {
  class Request extends Context.Tag("test/map/snapshot/Request")<Request, {
    readonly id: string
    readonly user?: string
  }>() {}

  const within = Request.provide({ id: "a", user: "ann" })

  it.effect("keeps the map of its moment, and its runs leave nothing", () =>
    Effect.gen(function*() {
      const snapshot = yield* Request.snapshot
      yield* Request.set("user", "bob")
      expect(yield* snapshot.run(Effect.zipLeft(Request.get("user"), Request.set("user", "eve")))).toBe("ann")
      expect(yield* snapshot.run(Request.get("user"))).toBe("ann")
      expect(yield* Request.get("user")).toBe("bob")
    }).pipe(within))
})
