/** The programs beside this file, each run as a process of its own. */
import { join } from "node:path"
import { runSource } from "../support.js"

/** How each runtime is told to load the bridge before the program. */
export const preload: ReadonlyArray<string> = process.versions["bun"] !== undefined
  ? ["--preload", "aiocontext/register"]
  : process.versions["deno"] !== undefined
  // a bare name would be that of a file there
  ? ["--preload", "./src/register.ts"]
  : ["--import", "aiocontext/register"]

/** Runs a program, and gives what it printed. */
export const run = async (file: string, ...options: ReadonlyArray<string>): Promise<unknown> => {
  const { stdout } = await runSource(join(import.meta.dirname, file), options)
  return JSON.parse(stdout)
}
