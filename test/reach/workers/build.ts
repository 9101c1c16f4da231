/** Workers from TypeScript files of this folder: Node loads no TypeScript in a worker thread. */
import { Effect } from "effect"
import type { Scope } from "effect"
import { build } from "esbuild"
import { fork } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Worker } from "node:worker_threads"

const bundles = new Map<string, Promise<string>>()

/** A worker as one module, with the library's sources in it. */
const bundle = async (name: string): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, `${name}.ts`)],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    conditions: ["@aiocontext/source"],
    banner: {
      // what is CommonJS in the bundle requires modules of Node
      js: `import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url)`
    },
    logLevel: "silent"
  })
  return outputFiles[0]!.text
}

/** The file of a worker, which is gone after the test. */
export const workerFile = (name: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const bundled = bundles.get(name) ?? bundle(name)
    bundles.set(name, bundled)
    const code = yield* Effect.promise(() => bundled)
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "aiocontext-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const file = join(folder, `${name}.mjs`)
    writeFileSync(file, code)
    return file
  })

/** Starts a worker. */
export type Spawn = () => Worker | ChildProcess

/** The ways to start a worker of a file, with what it is told by `SIDE`. */
export const spawners: { readonly [way: string]: (file: string, side?: string) => Spawn } = {
  "a worker thread": (file, SIDE = "") => () => new Worker(file, { execArgv: [], env: { SIDE } }),
  "a child process": (file, SIDE = "") => () => fork(file, { execArgv: [], env: { ...process.env, SIDE } })
}
