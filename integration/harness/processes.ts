/**
 * Runs scenarios, each in a process of its own.
 */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import PQueue from "p-queue"
import type { Servers } from "../servers/servers.js"
import type { Measured } from "./run-scenario.js"

const secondsPerScenario = 180

const runProcess = (file: string, urls: Partial<Servers>): Promise<Measured> =>
  new Promise((resolve, reject) => {
    const started = performance.now()
    const child = fork(join(import.meta.dirname, "child.js"), [file, JSON.stringify(urls)], {
      stdio: ["ignore", "pipe", "pipe", "ipc"]
    })
    const output: Array<string> = []
    child.stdout!.on("data", (chunk) => output.push(String(chunk)))
    child.stderr!.on("data", (chunk) => output.push(String(chunk)))
    const kill = () => child.kill("SIGKILL")
    process.once("exit", kill)
    const timer = setTimeout(() => {
      output.push(`not done after ${secondsPerScenario} seconds`)
      kill()
    }, secondsPerScenario * 1000)
    let measured: Measured | undefined
    child.on("message", (message) => {
      measured = message as Measured
    })
    child.on("close", (code) => {
      clearTimeout(timer)
      process.off("exit", kill)
      console.log(`${file} took ${((performance.now() - started) / 1000).toFixed(1)} seconds`)
      if (measured === undefined) {
        reject(new Error(`${file} ended with code ${code}:\n${output.join("")}`))
      } else {
        resolve(measured)
      }
    })
  })

/** What each file's scenario measured, or why it could not. */
export const runProcesses = (
  files: ReadonlyArray<string>,
  urls: Partial<Servers>
): Promise<ReadonlyArray<Measured | Error>> => {
  const queue = new PQueue({ concurrency: availableParallelism() })
  return Promise.all(
    files.map((file) =>
      queue.add(() => runProcess(file, urls).catch((error: Error) => error)) as Promise<Measured | Error>
    )
  )
}
