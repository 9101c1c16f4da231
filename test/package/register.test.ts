/** `aiocontext/register` as a user has it: in the packed package, on the runtime that runs the tests. */
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { effect, makeProject } from "./project.js"

// what two requests see after an `await` in promise code, and in their storage after a sleep
const app = `
import { context, Ctx } from "aiocontext"
import { Effect, Layer, ManagedRuntime } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"

const storage = new AsyncLocalStorage()
const runtime = ManagedRuntime.make(Layer.scopedDiscard(Effect.sleep("5 millis")))

const user = async () => {
  await Promise.resolve()
  return "user of " + context.get("id")
}
const handler = (id) =>
  Effect.gen(function*() {
    yield* Effect.sleep(1)
    return storage.getStore() + ", " + (yield* Effect.promise(user))
  }).pipe(Ctx.provide({ id }))

export const serve = () =>
  Promise.all(["a", "b"].map((id) => storage.run(id, () => runtime.runPromise(handler(id)))))
`

const files: Record<string, string> = {
  "app.mjs": app,
  "main.mjs": `
import { serve } from "./app.mjs"
console.log(JSON.stringify(await serve()))`,
  "first.mjs": `
import "aiocontext/register"
import { serve } from "./app.mjs"
console.log(JSON.stringify(await serve()))`,
  "thread.mjs": `
import { Worker } from "node:worker_threads"
const worker = new Worker(new URL(process.argv[2], import.meta.url))
worker.on("error", (error) => { throw error })`,
  "vitest.config.mjs": `export default { test: { setupFiles: ["aiocontext/register"], include: ["*.spec.mjs"] } }`,
  "app.spec.mjs": `
import { expect, it } from "vitest"
import { serve } from "./app.mjs"
it("has the bridge", async () => {
  expect(await serve()).toEqual(["a, user of a", "b, user of b"])
})`
}

interface Commands {
  readonly run: ReadonlyArray<string>
  readonly preload: ReadonlyArray<string>
  readonly vitest: ReadonlyArray<string>
  /** Whether worker threads load what the program is told to load first. */
  readonly inherits: boolean
}

const { run, preload, vitest, inherits }: Commands = process.versions["bun"] !== undefined
  ? { run: [], preload: ["--preload", "aiocontext/register"], vitest: ["--bun"], inherits: false }
  : process.versions["deno"] !== undefined
  ? {
    run: ["run", "-A"],
    preload: ["--preload", "./node_modules/aiocontext/dist/register.js"],
    vitest: [],
    inherits: false
  }
  : { run: [], preload: ["--import", "aiocontext/register"], vitest: [], inherits: true }

const seen = ["a, user of a", "b, user of b"]

describe("aiocontext/register, installed", { timeout: 600_000 }, () => {
  const project = makeProject()
  beforeAll(async () => {
    await project.install(inject("tarball"), effect, "vitest@3.2.7")
    for (const [file, text] of Object.entries(files)) {
      project.write(file, text)
    }
  }, 600_000)
  afterAll(project.remove)

  const print = async (...args: ReadonlyArray<string>): Promise<unknown> =>
    JSON.parse(await project.run(process.execPath, ...run, ...args))

  it("is the bridge of a program, loaded before it", async () => {
    expect(await print(...preload, "main.mjs")).toEqual(seen)
  })

  it("is the bridge of a program that imports it first", async () => {
    expect(await print("first.mjs")).toEqual(seen)
  })

  it(
    inherits ? "is the bridge of the program's worker threads, too" : "is not the bridge of its worker threads",
    async () => {
      const thread = print(...preload, "thread.mjs", "main.mjs")
      await (inherits ? expect(thread).resolves.toEqual(seen) : expect(thread).rejects.toThrow("no task is running"))
    }
  )

  it("is the bridge of a worker thread that imports it first", async () => {
    expect(await print("thread.mjs", "first.mjs")).toEqual(seen)
  })

  it("is the bridge of vitest's tests, as one of the setupFiles", async () => {
    const file = join(project.folder, "node_modules/vitest/vitest.mjs")
    const output = await project.run(process.execPath, ...run, ...vitest, file, "run", "--reporter=json")
    expect(JSON.parse(output.slice(output.indexOf("{")))).toMatchObject({ numPassedTests: 1, numFailedTests: 0 })
  })
})
