import { describe, expect, it } from "@effect/vitest"
import { preload, run } from "./programs.js"

const each = [["a", "user of a"], ["b", "user of b"]]
const everything = { cold: each, warm: each }
const answers = ["a", "b"].map((id) => [`${id} of the worker`, `${id} of the request`])

// each is a process of its own
describe.sequential("aiocontext/register", { timeout: 240_000 }, () => {
  it("is the bridge of a program that knows nothing of it", async () => {
    expect(await run("plain.ts", ...preload)).toEqual(everything)
  })

  it("is what that program lacks without it", async () => {
    await expect(run("plain.ts")).rejects.toThrow("no task is running here")
  })

  it("is the bridge where it is imported first", async () => {
    expect(await run("first.ts")).toEqual(everything)
  })

  it("is the bridge in runMain, and in what its layers start", async () => {
    expect(await run("main.ts", ...preload)).toEqual(answers)
  })
})
