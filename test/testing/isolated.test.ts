import { Context } from "aiocontext"
import { isolationTest } from "aiocontext/testing"
import { it } from "aiocontext/testing/vitest"
import { Effect } from "effect"
import { describe, expect, vi } from "vitest"

class Request extends Context.Tag("test/isolated/Request")<Request, { readonly user: string }>() {}

describe.sequential("it.isolated", () => {
  it.isolated("tests an effect", ({ values }) => Effect.delay(Effect.succeed(values.user), 1), {
    requests: 5,
    seeds: 3
  })

  it.isolated("tests an async handler", async ({ observe, values, waitPromise }) => {
    await waitPromise()
    return observe(values.user)
  }, { requests: 5, seeds: 3 })

  it.isolated("tests with values and a context of its own", () => Request.get("user"), {
    requests: 5,
    seeds: 3,
    context: Request,
    values: ({ mark }) => ({ user: `user${mark}` })
  })

  it.isolated.skip("can be skipped", () => Effect.die("not this one"))
})

describe.sequential("AIOCONTEXT_SEEDS", () => {
  const seedsOf = async (options: { readonly seeds?: number | ReadonlyArray<number>; readonly seed?: number }) =>
    (await isolationTest(() => Promise.resolve(), { ...options, requests: 1 })).seeds

  it("replaces a number of seeds, and no seed that is named", async () => {
    vi.stubEnv("AIOCONTEXT_SEEDS", "3")
    try {
      expect(await seedsOf({})).toEqual([1, 2, 3])
      expect(await seedsOf({ seeds: 7 })).toEqual([1, 2, 3])
      expect(await seedsOf({ seeds: [5, 9] })).toEqual([5, 9])
      expect(await seedsOf({ seed: 4 })).toEqual([4])
      vi.stubEnv("AIOCONTEXT_SEEDS", "many")
      await expect(seedsOf({})).rejects.toThrow(
        "AIOCONTEXT_SEEDS takes a number of seeds, as in AIOCONTEXT_SEEDS=1000, and got \"many\""
      )
    } finally {
      vi.unstubAllEnvs()
    }
  })
})

describe.sequential("a test of many seeds", { timeout: 240_000 }, () => {
  it("counts them on a terminal, and leaves nothing there", async () => {
    const written: Array<string> = []
    const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => written.push(String(text)) > 0)
    const { isTTY } = process.stderr
    process.stderr.isTTY = true
    try {
      // each run takes a while of the machine's own time
      const slow = async () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
      await isolationTest(slow, { requests: 1, seeds: 50 })
    } finally {
      process.stderr.isTTY = isTTY
      write.mockRestore()
    }
    expect(written.join("")).toMatch(/isolationTest: \d+ of 50 seeds, \d+ steps, \d+ s/)
    expect(written.at(-1)).toBe("\u001B[1G")
  })
})
