import { describe, expect, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { decode, encode, planOf } from "../../src/testing/kit/plan.js"

const plan = { ...planOf(4, 10), explain: true }
const odd = Array.from({ length: 2_000 }, (_, index) => index * index % 7)

describe("a replay", () => {
  it("is short, and reads as what it is", () => {
    const choices = [0, 0, 0, 0, 1, 3, 3]
    expect(encode(plan, undefined)).toBe("4:0:0-9:0-9")
    expect(encode({ ...plan, requests: [3, 7], waiting: [], choices }, undefined)).toBe("4:0:3.7::0*4.1.3*2")
    expect(encode({ ...plan, requests: [3, 7], waiting: [], choices: [] }, undefined)).toBe("4:0:3.7::")
  })

  it("gives the plan again", () => {
    for (const choices of [undefined, [], [1], [0, 0, 1, 2, 3, 3, 3, 0], odd]) {
      expect(decode(encode({ ...plan, choices }, undefined))).toEqual({ ...plan, choices })
    }
  })

  it("is packed where it is long, and in a file beside the test where it is still long", () => {
    const folder = mkdtempSync(join(tmpdir(), "aiocontext-replay-"))
    const test = join(folder, "my.test.ts")
    try {
      expect(encode({ ...plan, choices: odd.slice(0, 200) }, test)).toMatch(/^z[\w-]{20,200}$/)
      const long = { ...plan, choices: odd.map((_, index) => (index * index * index) % 1_009) }
      expect(encode(long, test)).toBe(`file:${test}.seed-4.replay`)
      expect(readdirSync(folder)).toEqual(["my.test.ts.seed-4.replay"])
      expect(decode(encode(long, test))).toEqual(long)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("that is none says what it takes", async () => {
    for (const replay of ["4", "4:0:a:", "4:0:1:2:3:x", "znonsense", "file:/nowhere/at.all"]) {
      await expect(isolationTest(() => Promise.resolve(), { replay })).rejects.toThrow(
        `isolationTest: replay takes what a failed test printed, as in "4:0:3.7::0.1", and got ${
          JSON.stringify(replay)
        }`
      )
    }
  })
})
