import { describe, expect, it } from "@effect/vitest"
import { preload, run } from "./programs.js"

// the storage, a variable of `AsyncContext`, one of contextvars, the map in a fiber's lines, the map in promise code
const own = ["aaaaa", "bbbbb", "ccccc"]
const nobody = [null, null, "none", false]
const everything = { cold: own, warm: own, nobody, booted: own }

describe.sequential("requests that wait for a runtime's building", { timeout: 240_000 }, () => {
  it("go on in their own context where the bridge is built first, and where the runtime is built at boot", async () => {
    // Effect wakes them in the first one's storages, where the bridge comes after what they wait for; their maps are their own
    const cold = ["aaaaa", "aaabb", "aaacc"]
    expect(await run("cold.ts")).toEqual({
      under: everything,
      beside: everything,
      after: { ...everything, cold }
    })
  })

  it("always do under aiocontext/register", async () => {
    expect(await run("cold.ts", ...preload)).toEqual({ under: everything, beside: everything, after: everything })
  })
})
