import { describe, expect, it } from "@effect/vitest"
import { compat, Context, KeyNotFoundError } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Context as Service } from "effect"
import { Request, request } from "./operations.js"

describe("bad input", () => {
  const within = <A>(f: () => A) => request.run({ id: "a" }, f)

  it("a missing key", () => {
    expect(() => within(() => request.getOrThrow("user"))).toThrow(KeyNotFoundError)
  })

  it("a function that is none", () => {
    for (
      const call of [
        () => compat.fork(1 as never),
        () => compat.all([1 as never]),
        () => compat.timeout(1 as never, 1),
        () => compat.bind(1 as never),
        () => compat.snapshot()(1 as never),
        () => request.run({ id: "a" }, 1 as never)
      ]
    ) {
      expect(() => within(call)).toThrow(/takes a function.*got 1/)
    }
  })

  it("a duration that is none", () => {
    for (const duration of [NaN, "soon", {}, undefined]) {
      expect(() => within(() => compat.timeout(async () => {}, duration as never))).toThrow(/takes a duration/)
    }
  })

  it("entries that are none", () => {
    for (const entries of [undefined, null, 1, "a"]) {
      expect(() => Request.provide(entries as never)).toThrow(/takes entries, as in/)
      expect(() => Request.layer(entries as never)).toThrow(/takes entries, as in/)
      expect(() => request.run(entries as never, () => 1)).toThrow(/takes entries, as in/)
    }
  })

  it("an id, a fork or a join that is none", () => {
    expect(() => Context.Tag(1 as never)()).toThrow(/takes an id/)
    expect(() => Context.Tag("test/errors/arguments/bad")({ fork: "clone" as never })).toThrow(
      /fork is "copy", "deepCopy", "chain", "share" or a function/
    )
    expect(() => Context.Tag("test/errors/arguments/bad")({ join: "both" as never })).toThrow(
      /join is "isolate" or "merge"/
    )
  })

  it("a context that is none", () => {
    for (const bad of [undefined, null, {}, class {}, "app/Request", Service.GenericTag("app/Service")]) {
      expect(() => compat.make(bad as never)).toThrow(/takes a context/)
      expect(() => ContextLayers.succeed(bad as never, {} as never)).toThrow(/takes a context/)
      expect(() => ContextLayers.logAnnotations(bad as never)).toThrow(/takes a context/)
      expect(() => ContextLayers.spanAttributes(bad as never)).toThrow(/takes a context/)
    }
  })

  it("a write that fails loses nothing", () => {
    within(() => {
      request.set("user", "ann")
      expect(() => compat.timeout(async () => {}, NaN)).toThrow()
      expect(request.toObject()).toEqual({ id: "a", user: "ann" })
    })
  })
})
