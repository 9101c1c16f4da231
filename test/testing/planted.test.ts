/**
 * What the kit says of twelve handlers, with all its options as they are.
 */
import { describe, it } from "@effect/vitest"
import { isolationTest, perRun } from "aiocontext/testing"
import type { DefaultValues, TestRequest } from "aiocontext/testing"
import { errorOf } from "./errors.js"
import { clean, leaking } from "./planted.js"
import type { Handler } from "./planted.js"

const subjectOf = (make: () => Handler) =>
  perRun(() => {
    const handler = make()
    return ({ values }: TestRequest<DefaultValues>) => handler(values.user) as Promise<unknown>
  })

describe.sequential("the kit finds the leak of", { timeout: 60_000 }, () => {
  for (const [name, make] of Object.entries(leaking)) {
    it(name, async ({ expect }) => {
      const { finding, leak, message } = await errorOf(isolationTest(subjectOf(make)))
      expect([finding.state, leak?.key]).toEqual(["same", "user"])
      expect(message.split("\n").length).toBeLessThanOrEqual(40)
      await expect(message).toMatchFileSnapshot(`messages/planted-${name}.txt`)
    })
  }
})

// npm run test:isolation goes through 1,000 seeds of each
describe.sequential("the kit finds nothing in", { timeout: 60_000 }, () => {
  for (const [name, make] of Object.entries(clean)) {
    it(name, async ({ expect }) => {
      const { steps } = await isolationTest(subjectOf(make), { requests: 20, seeds: 10 })
      expect(steps).toBeGreaterThan(200)
    })
  }
})
