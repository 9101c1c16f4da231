/** The processes of the demo, each ended with it by its own id. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import type { Setup } from "./app.js"
import type { Said } from "./runner.js"

/** A folder for the demo. */
export const scratch: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "aiocontext-demo-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

// a runner tells the others its port before it listens
const freePort = Effect.promise(async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
})

const end = (child: ChildProcess, signal: NodeJS.Signals) =>
  Effect.promise(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, "exit")
    }
  })

/** A runner, once it is ready. */
export const startRunner = (
  setup: Setup,
  name: string,
  onLine: (said: Said) => void
): Effect.Effect<{ readonly name: string; readonly kill: Effect.Effect<void> }, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          process.execPath,
          [
            "--import",
            "tsx",
            "--conditions=@aiocontext/source",
            join(import.meta.dirname, "runner.ts"),
            JSON.stringify(setup),
            name,
            String(port)
          ],
          { stdio: ["ignore", "pipe", "inherit", "ipc"] }
        )
      ),
      (child) => end(child, "SIGKILL")
    )
    yield* Effect.async<void, Error>((resume) => {
      child.once("exit", () => resume(Effect.fail(new Error(`${name} did not start`))))
      createInterface(child.stdout!).on("line", (line) => {
        const said = JSON.parse(line) as Said
        if (said.kind === "ready") {
          resume(Effect.void)
        } else {
          onLine(said)
        }
      })
    })
    return { name, kill: end(child, "SIGKILL") }
  })

const find = (program: string): string | undefined => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : []
  return [...(process.env["PATH"] ?? "").split(delimiter), ...versions].map((folder) => join(folder, program)).findLast(
    existsSync
  )
}

/** A PostgreSQL server of the demo's own, and its URL. */
export const startPostgres = (folder: string): Effect.Effect<string, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const [initdb, postgres] = [find("initdb"), find("postgres")]
    if (initdb === undefined || postgres === undefined) {
      return yield* Effect.fail(new Error("PostgreSQL is not installed: apt-get install postgresql"))
    }
    // it does not run as root
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    if (user.uid !== undefined) {
      chownSync(folder, user.uid, user.gid)
    }
    const data = join(folder, "data")
    const port = yield* freePort
    yield* Effect.promise(() =>
      promisify(execFile)(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"], { cwd: folder, ...user })
    )
    const args = ["-D", data, "-k", folder, "-h", "127.0.0.1", "-p", String(port), "-F"]
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(postgres, args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"], ...user })),
      (child) => end(child, "SIGQUIT")
    )
    yield* Effect.async<void, Error>((resume) => {
      child.once("exit", () => resume(Effect.fail(new Error("PostgreSQL did not start"))))
      createInterface(child.stderr!).on("line", (line) => {
        if (line.includes("ready to accept connections")) {
          resume(Effect.void)
        }
      })
    })
    return `postgres://postgres@127.0.0.1:${port}/postgres`
  })
