import { describe, expect, it } from "@effect/vitest"
import { compat, context, ContextLayer, Ctx } from "aiocontext"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { ContextVar, copyContext } from "aiocontext/compat/contextvars"
import { Deferred, Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { vi } from "vitest"

const root = join(import.meta.dirname, "..")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly imports: { readonly "#async": { readonly "@aiocontext/source": Readonly<Record<string, string>> } }
}

/** The two modules of which a runtime takes one, as the package's own `imports` say. */
const asyncContext = Object.fromEntries(
  Object.entries(manifest.imports["#async"]["@aiocontext/source"]).map(([runtime, file]) => [runtime, join(root, file)])
) as Record<"node" | "default", string>

/** The package, loaded once more. */
const loadCopy = async () => {
  vi.resetModules()
  const copy = await import("aiocontext")
  const contextvars = await import("aiocontext/compat/contextvars")
  const { AsyncContext } = await import("aiocontext/compat/AsyncContext")
  expect(copy.compat.fork).not.toBe(compat.fork)
  return { ...copy, ...contextvars, AsyncContext }
}

describe("two copies of the package in one process", () => {
  it("are in the same tasks: promise code", async () => {
    const copy = await loadCopy()
    await context.run({ a: 1 }, async () => {
      copy.context.set("b", 2)
      await Promise.resolve()
      await copy.compat.fork(async () => {
        await Promise.resolve()
        expect([context.get("a"), copy.context.get("b")]).toEqual([1, 2])
        context.set("a", "child")
      })
      expect(copy.context.toObject()).toEqual({ a: 1, b: 2 })
    })
  })

  it("are in the same tasks: fibers", async () => {
    const copy = await loadCopy()
    const program = Effect.gen(function*() {
      yield* Effect.promise(async () => {
        await Promise.resolve()
        context.set("a", 1)
        copy.context.set("b", 2)
      })
      return [yield* Ctx.get("a"), yield* copy.Ctx.get("b"), copy.context.get("a")]
    })
    expect(await Effect.runPromise(Effect.provide(program, ContextLayer))).toEqual([1, 2, 1])
  })

  it("keep requests apart, where the second copy is a browser's", async () => {
    vi.doMock(asyncContext.node, () => vi.importActual(asyncContext.default))
    await loadCopy()
    vi.doUnmock(asyncContext.node)
    const program = Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const user = Effect.sync(() => context.get("user"))
      const pause = Effect.promise(() => Promise.resolve())
      const ann = Effect.zipRight(Deferred.await(gate), user)
      const bob = pause.pipe(Effect.zipRight(Deferred.succeed(gate, undefined)), Effect.zipRight(user))
      return yield* Effect.all([Ctx.provide({ user: "ann" })(ann), Ctx.provide({ user: "bob" })(bob)], {
        concurrency: 2
      })
    })
    expect(await Effect.runPromise(Effect.provide(program, ContextLayer))).toEqual(["ann", "bob"])
  })

  it("share contexts and mappings, each with its own variables", async () => {
    const copy = await loadCopy()
    const [a, b] = [new ContextVar<number>("a"), new copy.ContextVar<number>("b")]
    const [v, w] = [new AsyncContext.Variable<string>(), new copy.AsyncContext.Variable<string>()]
    await context.run({}, async () => {
      a.set(1)
      b.set(2)
      const ctx = copyContext()
      expect([copy.copyContext().get(a), ctx.get(b)]).toEqual([1, 2])
      await copy.compat.fork(() => [a.set(3), b.set(4)], { context: ctx })
      expect([ctx.get(a), ctx.get(b), a.get(), b.get()]).toEqual([3, 4, 1, 2])
      v.run("v", () =>
        w.run("w", () => {
          expect([v.get(), w.get()]).toEqual(["v", "w"])
          copy.context.set("written", true)
        }))
      expect(context.get("written")).toBe(true)
    })
  })
})
