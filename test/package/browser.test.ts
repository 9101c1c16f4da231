import { build } from "esbuild"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { chromium } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Results, Seen } from "./browser/page.js"

const here = import.meta.dirname
const candidates = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium", "/usr/bin/chromium-browser"]
const executablePath = candidates.find((path) => existsSync(path))

const install =
  "The browser test needs Chromium and found none. On Debian and Ubuntu: apt-get update && apt-get install -y" +
  " chromium. Elsewhere set CHROMIUM to the path of a Chromium or Chrome."

it.runIf(process.env["CI"] !== undefined)("finds Chromium", () => {
  expect(executablePath, install).toBeDefined()
})

const bundle = async (): Promise<string> => {
  const result = await build({
    entryPoints: [join(here, "browser/page.ts")],
    bundle: true,
    format: "iife",
    platform: "browser",
    write: false
  })
  return result.outputFiles[0]!.text
}

if (executablePath === undefined) {
  console.warn(install)
}

describe.skipIf(executablePath === undefined)("a bundled page in Chromium", () => {
  let results: Results
  let script: string
  let close = async () => {}

  beforeAll(async () => {
    script = await bundle()
    const browser = await chromium.launch({
      executablePath: executablePath!,
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync"
      ]
    })
    close = () => browser.close()
    const page = await browser.newPage({ viewport: { width: 1100, height: 900 } })
    await page.setContent(readFileSync(join(here, "browser/page.html"), "utf8"))
    await page.addScriptTag({ content: script })
    results = await page.evaluate("results") as Results
    const screenshots = join(here, "../../screenshots")
    mkdirSync(screenshots, { recursive: true })
    await page.screenshot({ path: join(screenshots, "browser.png"), fullPage: true })
  }, 60_000)

  afterAll(() => close())

  it("has nothing of Node's async_hooks in its bundle", () => {
    expect(script).not.toContain("async_hooks")
    expect(script).toContain("aiocontext/tasks")
  })

  it("keeps three requests apart", () => {
    const steps = [
      "starts",
      "set its user",
      "was woken by another request",
      "a child, with a step of its own",
      "promise code set a step through snapshot"
    ]
    expect(results.requests).toEqual({ "r-1": steps, "r-2": steps, "r-3": steps })
  })

  const gives = (value: unknown): Seen => ({ value })
  const throws = (error: string, message: RegExp) => ({ error, message: expect.stringMatching(message) as string })
  const cannotKnow = throws(
    "NoTaskError",
    /In a browser promise code loses its task.*compat\.snapshot\(\) before it/
  )

  const expected: Record<string, Seen> = {
    "outside every task": throws("NoTaskError", /^context\.get: no task is running here/),
    "outside every task, peek": gives("none"),
    "a fiber outside the bridge": throws("BridgeError", /runs outside the bridge/),
    "a fiber that lacks the context": throws("NotAttachedError", /"page\/Request" is not attached/),
    "runSync": gives("sync"),
    "Effect.sync": gives("fiber"),
    "a generator's own lines, after a sleep": gives("fiber"),
    "Effect.promise, before an await": gives("fiber"),
    "Effect.promise, after an await": cannotKnow,
    "Effect.promise, a write before an await": gives("ann"),
    "a timer that a fiber started": cannotKnow,
    "the callback of Effect.async": gives("fiber"),
    "snapshot, after an await": gives("fiber"),
    "snapshot, a write after an await": gives("late"),
    "bind, in an event listener": gives("fiber"),
    "bind, called in another region": gives("fiber"),
    "bind, called in another fiber": gives("fiber"),
    "a listener without bind, called in another fiber": gives("other"),
    "run": gives("run"),
    "run, after an await": cannotKnow,
    "run, nested": gives("inner"),
    "run, that throws": gives("left"),
    "fork, its lines before an await": gives("run"),
    "fork, after an await": cannotKnow,
    "all": gives(["run", "run!"]),
    "timeout, that is late": throws("TimeoutException", /took longer than 2ms/),
    "runPromise, from a task": gives("run"),
    "runPromise, from a fiber's promise code": gives("fiber"),
    "a fiber that a deferred wakes from another task": gives("fiber"),
    "promise code of forty fibers, after an await": gives(["NoTaskError"]),
    "outside, when all is done": gives("none")
  }

  it("makes every claim", () => {
    expect(Object.keys(results.claims)).toEqual(Object.keys(expected))
  })
  for (const [name, result] of Object.entries(expected)) {
    it(name, () => expect(results.claims[name]).toEqual(result))
  }
})
