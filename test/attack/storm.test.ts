/**
 * The acceptance case of aiotask-context: 1,000 concurrent parents with an id of their own, and 10 children each that
 * wait, read, wait, nest and read again.
 */
import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { Effect, Fiber } from "effect"
import { often, sleep } from "../support.js"

class Request extends Context.Tag("test/storm/Request")<Request, { readonly id: number }>() {}
const request = compat.make(Request)

const parents = Array.from({ length: often(1000, 3) }, (_, i) => i)
const children = Array.from({ length: often(10, 3) }, (_, i) => i)
const pause = () => Math.random() * 5

/** Whose reads were not its own. */
const strangers = (seen: ReadonlyArray<ReadonlyArray<ReadonlyArray<number>>>): ReadonlyArray<number> =>
  seen.flatMap((reads, id) => {
    expect(reads.length).toBe(children.length)
    return reads.flat().filter((read) => read !== id)
  })

describe.sequential("1,000 parents with 10 children each", () => {
  it.live("in fibers", () =>
    Effect.gen(function*() {
      const child = Effect.gen(function*() {
        yield* Effect.sleep(pause())
        const first = yield* Request.get("id")
        yield* Effect.sleep(pause())
        const nested = yield* Effect.fork(Effect.delay(Request.get("id"), pause()))
        return [first, yield* Fiber.join(nested), yield* Request.get("id")]
      })
      const seen = yield* Effect.forEach(
        parents,
        (id) => Effect.forEach(children, () => child, { concurrency: "unbounded" }).pipe(Request.provide({ id })),
        { concurrency: "unbounded" }
      )
      expect(strangers(seen)).toEqual([])
    }), 60_000)

  it.live("in fibers, read by the promise code that they run", () =>
    Effect.gen(function*() {
      const child = Effect.gen(function*() {
        const first = yield* Effect.promise(async () => {
          await sleep(pause())
          return request.get("id")
        })
        const nested = yield* Effect.promise(() =>
          compat.fork(async () => {
            await sleep(pause())
            return request.get("id")
          })
        )
        return [first, nested, request.get("id"), yield* Request.get("id")]
      })
      const seen = yield* Effect.forEach(
        parents,
        (id) => Effect.forEach(children, () => child, { concurrency: "unbounded" }).pipe(Request.provide({ id })),
        { concurrency: "unbounded" }
      )
      expect(strangers(seen)).toEqual([])
    }).pipe(Effect.provide(compat.layer)), 60_000)

  it("in promise tasks", { timeout: 60_000 }, async () => {
    const child = async () => {
      await sleep(pause())
      const first = request.get("id")
      await sleep(pause())
      const nested = await compat.fork(async () => {
        await sleep(pause())
        return request.get("id")
      })
      return [first, nested, request.get("id")]
    }
    const seen = await Promise.all(
      parents.map((id) => request.run({ id }, () => compat.all(children.map(() => child))))
    )
    expect(strangers(seen)).toEqual([])
  })
})
