import { Effect, HashMap } from "effect"
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { promisify } from "node:util"

export const sleep = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** How often, or how many: a few, where the isolation kit runs the test itself some thousand times. */
export const often = (alone: number, asRequest: number): number =>
  process.env["ISOLATION_SEEDS"] === undefined ? alone : asRequest

/** A map as a plain object, to compare. */
export const plain = (entries: HashMap.HashMap<string, unknown>): object => Object.fromEntries(entries)

/** Collects all that nothing holds. */
export const collectGarbage = (): void => {
  const { Bun } = globalThis as { readonly Bun?: { gc(synchronously: boolean): void } }
  if (Bun === undefined) {
    globalThis.gc!()
  } else {
    Bun.gc(true)
  }
}

/** The heap in use after a full collection, in bytes. */
export const heapUsed = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await sleep(5)
  }
  return process.memoryUsage().heapUsed
}

/** What imperative code throws, as an effect's failure. */
export const thrown = (f: () => unknown): Effect.Effect<unknown> =>
  Effect.sync(() => {
    try {
      f()
    } catch (error) {
      return error
    }
    return undefined
  })

const sourceRunner = (): ReadonlyArray<string> =>
  process.versions["bun"] !== undefined
    ? ["--conditions=@aiocontext/source"]
    : process.versions["deno"] !== undefined
    ? ["run", "-A", "--unstable-sloppy-imports", "--conditions=@aiocontext/source"]
    : [createRequire(import.meta.url).resolve("tsx/cli"), "--conditions=@aiocontext/source"]

/** Runs a TypeScript file on the sources, in a process of its own, on the runtime that runs the tests. */
export const runSource = (file: string): Promise<{ readonly stdout: string; readonly stderr: string }> =>
  promisify(execFile)(process.execPath, [...sourceRunner(), file])
