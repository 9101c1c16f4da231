/**
 * What the kit says of handlers by somebody who had not read it, with its options as they are.
 */
import { describe, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import { errorOf } from "./errors.js"
import { clean, leaking, Request } from "./stranger.js"

/** The seed that finds each of them. */
const seeds: Readonly<Record<string, number>> = { "a bus with numbers by chance": 12 }

describe.sequential("the kit finds the leak of", { timeout: 240_000 }, () => {
  for (const [name, handler] of Object.entries(leaking)) {
    it(name, async ({ expect }) => {
      const { finding: { seed, shrunk, state }, message } = await errorOf(isolationTest(handler, { context: Request }))
      expect({ state, seed }).toEqual({ state: "same", seed: seeds[name] ?? 1 })
      expect(shrunk.requests).toBeLessThanOrEqual(3)
      await expect(message).toMatchFileSnapshot(`messages/stranger-${name.replaceAll(" ", "-")}.txt`)
    })
  }
})

// npm run test:isolation goes through 1,000 seeds of each
describe.sequential("the kit finds nothing in", { timeout: 240_000 }, () => {
  for (const [name, handler] of Object.entries(clean)) {
    it(name, async ({ expect }) => {
      const { steps } = await isolationTest(handler, { context: Request, requests: 20, seeds: 10 })
      expect(steps).toBeGreaterThan(400)
    })
  }
})
