import { describe, expect, it } from "@effect/vitest"
import { fileURLToPath } from "node:url"
import { runSource } from "../support.js"

describe("a program that loads the library and does not use it", () => {
  // Node 20 and 22 note the async context on every promise, once anything in the process has entered a storage
  it("pays nothing for its promises", async () => {
    const { stdout } = await runSource(fileURLToPath(new URL("loading.ts", import.meta.url)))
    const { after, before } = JSON.parse(stdout)
    expect(before).toEqual([])
    expect(after).toEqual([])
  })
})
