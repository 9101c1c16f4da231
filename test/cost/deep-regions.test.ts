import { describe, expect, it } from "@effect/vitest"
import { compat, context, Ctx } from "aiocontext"
import { Effect } from "effect"
import { sleep } from "../support.js"

type Nest = (n: number, inner: Effect.Effect<unknown, never, Ctx>) => Effect.Effect<unknown, never, Ctx>

/** Ways to enter a region inside of another one. */
const regions: Readonly<Record<string, Nest>> = {
  provide: (n, inner) => Ctx.provide({ n })(inner),
  locally: (n, inner) => Ctx.locally({ n })(inner),
  "a layer": (n, inner) => Effect.provide(inner, Ctx.layer({ n }))
}

const promiseRegions: Readonly<Record<string, (n: number, inner: () => Promise<unknown>) => Promise<unknown>>> = {
  "context.run": (n, inner) => context.run({ n }, inner),
  "context.locally": (n, inner) => context.locally({ n }, inner),
  "compat.fork": (_, inner) => compat.fork(inner)
}

/** How many times as much of the processor a four times as deep nesting takes, three times each: the collector's part varies. */
const ratio = async (nested: (depth: number) => Promise<void>) => {
  const used = async (depth: number) => {
    const before = process.cpuUsage()
    await nested(depth)
    const { system, user } = process.cpuUsage(before)
    return system + user
  }
  const thrice = async (depth: number) => await used(depth) + await used(depth) + await used(depth)
  await used(1_000)
  const shallow = await thrice(5_000)
  return await thrice(20_000) / shallow
}

// linear work gives 4, a cost of each level that grows with the depth 16
const linearly = 12

describe.sequential("20,000 nested regions work, in linear time", () => {
  for (const [name, region] of Object.entries(regions)) {
    it(name, async () => {
      const nested = async (depth: number) => {
        let innermost: unknown
        const see = Effect.map(Ctx.get("n"), (seen) => {
          innermost = seen
        })
        const nest = (n: number): Effect.Effect<unknown, never, Ctx> =>
          Effect.suspend(() => n > depth ? see : region(n, nest(n + 1)))
        await Effect.runPromise(Ctx.provide({ n: 0 })(nest(1)))
        while (innermost === undefined) {
          await sleep(1)
        }
        expect(innermost).toBe(depth)
      }
      expect(await ratio(nested)).toBeLessThan(linearly)
    })
  }

  for (const [name, region] of Object.entries(promiseRegions)) {
    it(`${name}, in promise code`, async () => {
      const nested = async (depth: number) => {
        let levels = 0
        const nest = async (n: number): Promise<unknown> => {
          // leaves the stack
          await Promise.resolve()
          levels = n
          return n === depth ? context.get("n") : region(n + 1, () => nest(n + 1))
        }
        const seen = await context.run({ n: 0 }, () => nest(0))
        expect(levels).toBe(depth)
        expect(seen).toBe(name === "compat.fork" ? 0 : depth)
      }
      expect(await ratio(nested)).toBeLessThan(linearly)
    })
  }
})
