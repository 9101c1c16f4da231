import { describe, expect, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { runSource } from "../support.js"
import { demo, subjects } from "./subjects.js"

// npm run test:isolation goes through 1,000 seeds of each
describe.sequential("the kit finds nothing in", { timeout: 240_000 }, () => {
  for (const [name, subject] of Object.entries(subjects)) {
    it(name, async () => {
      const report = await subject({ requests: 12, seeds: [1, 2, 3, 4, 5, 6] })
      expect(report.seeds).toEqual([1, 2, 3, 4, 5, 6])
      expect(report.steps).toBeGreaterThan(12)
    })
  }

  it("200 requests of the demo's handler", async () => {
    expect((await demo({ requests: 200, seeds: [1] })).requests).toBe(200)
  })
})

describe.sequential("the same seed", { timeout: 240_000 }, () => {
  const digest = (trace: ReadonlyArray<string>) => createHash("sha256").update(trace.join("\n")).digest("hex")

  it("gives the same trace, byte for byte, and another seed another one", async () => {
    const traces = []
    for (const seed of [7, 7, 8]) {
      traces.push((await demo({ requests: 20, seeds: [seed] })).trace.join("\n"))
    }
    expect(traces[0]).toBe(traces[1])
    expect(traces[0]).not.toBe(traces[2])
  })

  it("gives the same trace in another process", async () => {
    const { stdout } = await runSource(fileURLToPath(new URL("digest.ts", import.meta.url)))
    expect(stdout.trim()).toBe(digest((await demo({ requests: 20, seeds: [7] })).trace))
  })
})

describe.sequential("requests wake each other", () => {
  it("through every primitive", async () => {
    const used = new Set<string>()
    for (const seed of [1, 2, 3, 4, 5]) {
      const { trace } = await isolationTest(({ wait }) => wait, { requests: 20, seeds: [seed] })
      for (const line of trace) {
        const through = /wakes r\d+ through (.*)$/.exec(line)?.[1]
        if (through !== undefined) {
          used.add(through)
        }
      }
    }
    expect([...used].toSorted()).toEqual([
      "STM",
      "a Deferred",
      "a Mailbox",
      "a Pool",
      "a PubSub",
      "a Queue",
      "a Semaphore",
      "a cached effect",
      "a callback",
      "a shared promise",
      "a timer that another request sets",
      "an interruption"
    ])
  })
})
