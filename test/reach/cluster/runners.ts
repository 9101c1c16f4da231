/** Runners for the time of a test: in this process or in processes of their own. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type RunnerOptions, start, type Started } from "./app.js"
import type { Answered } from "./process.js"

/** A port that nobody listens on. A runner has to know its port before it listens. */
export const freePort: Effect.Effect<number> = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
})

/** A folder of its own for each test. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "aiocontext-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** A runner in this process. */
export const here = (options: Omit<RunnerOptions, "port">): Effect.Effect<Started, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(freePort, (port) =>
      Effect.promise(async () => {
        const runner = start({ ...options, port })
        await runner.ready()
        return runner
      })),
    (runner) => Effect.promise(() => runner.stop())
  )

/** A runner in a process of its own. */
export interface Elsewhere extends Pick<Started, "call"> {
  readonly pid: number
  /** Ends it as a crash does. */
  readonly kill: () => Promise<void>
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL")
    await once(child, "exit")
  }
}

const spawned = async (options: RunnerOptions): Promise<Elsewhere> => {
  const child = fork(join(import.meta.dirname, "process.ts"), [JSON.stringify(options)], {
    execArgv: ["--import", "tsx", "--conditions=@aiocontext/source"],
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const waiting = new Map<number, { readonly done: (value: never) => void; readonly failed: (error: Error) => void }>()
  await new Promise<void>((ready, failed) => {
    child.on("message", ({ error, number, value }: Answered) => {
      if (number === undefined) {
        return ready()
      }
      const { done, failed } = waiting.get(number)!
      waiting.delete(number)
      if (error === undefined) {
        done(value as never)
      } else {
        failed(new Error(error))
      }
    })
    child.on("exit", (code, signal) => {
      const gone = new Error(`the runner ended with ${code ?? signal}`)
      failed(gone)
      for (const { failed } of waiting.values()) {
        failed(gone)
      }
    })
  })
  let calls = 0
  return {
    pid: child.pid!,
    kill: () => ended(child),
    call: (name, sender, ...args) =>
      new Promise((done, failed) => {
        const number = calls++
        waiting.set(number, { done, failed })
        child.send({ number, name, sender, args })
      })
  }
}

/** A runner in a process of its own, for the time of a test. */
export const elsewhere = (options: Omit<RunnerOptions, "port">): Effect.Effect<Elsewhere, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(freePort, (port) => Effect.promise(() => spawned({ ...options, port }))),
    ({ kill }) => Effect.promise(kill)
  )

/** Two runners that have shared the shards among them, with an entity that lives on each. */
export const settled = (
  first: Pick<Started, "call">,
  second: Pick<Started, "call">
): Effect.Effect<{ readonly onFirst: string; readonly onSecond: string }> =>
  Effect.promise(async () => {
    const names = Array.from({ length: 40 }, (_, i) => `entity-${i}`)
    for (;;) {
      const owned = await Promise.all(names.map(async (name) => ({
        name,
        first: await first.call("owns", undefined, name),
        second: await second.call("owns", undefined, name)
      })))
      const onFirst = owned.find(({ first }) => first)
      const onSecond = owned.find(({ second }) => second)
      if (onFirst && onSecond && owned.every(({ first, second }) => first !== second)) {
        return { onFirst: onFirst.name, onSecond: onSecond.name }
      }
      await new Promise((done) => setTimeout(done, 50))
    }
  })
