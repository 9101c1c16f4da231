import { describe, expect } from "@effect/vitest"
import { compat } from "aiocontext"
import { Cause } from "effect"
import { sleep, withResolvers } from "../support.js"
import { everywhere, request } from "./everywhere.js"

describe("compat.timeout", () => {
  everywhere("gives the value of a task in time, aborts a late one and rejects", async () => {
    expect(await compat.timeout(async (signal) => [signal.aborted, request.get("id")], "1 minute")).toEqual([
      false,
      "a"
    ])
    let aborted = false
    const late = compat.timeout((signal) => {
      signal.addEventListener("abort", () => aborted = true)
      return new Promise(() => {})
    }, 5)
    const error = await late.catch((error: unknown) => error)
    expect(Cause.isTimeoutException(error)).toBe(true)
    expect(String(error)).toContain("5ms")
    expect(aborted).toBe(true)
    expect(request.get("id")).toBe("a")
  })

  everywhere("a task that fails after its deadline fails unseen", async () => {
    const deadline = withResolvers()
    const late = compat.timeout(async () => {
      await deadline.promise
      throw new Error("too late to matter")
    }, 1)
    await expect(late).rejects.toThrow(/took longer/)
    deadline.resolve()
    // a rejection that nobody handles ends the process before this turn
    await sleep(1)
  })

  everywhere("an endless duration sets no timer", async () => {
    expect(await compat.timeout(async () => 1, "10000 days")).toBe(1)
    expect(await compat.timeout(async () => 1, Infinity)).toBe(1)
  })
})
