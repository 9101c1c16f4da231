/** A PostgreSQL server of its own for the time of a test, on a free loopback port. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises"
import { connect, createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

const folders = (): ReadonlyArray<string> => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => join(debian, version, "bin")) : []
  return [...(process.env["PATH"] ?? "").split(delimiter), ...versions]
}

const binary = (name: string): string | undefined =>
  folders().map((folder) => join(folder, name)).find((file) => existsSync(file))

/** Whether this machine can start a server. */
export const hasPostgres = (): boolean => binary("initdb") !== undefined && binary("postgres") !== undefined

// it refuses to run as root
const asUser = (file: string, args: ReadonlyArray<string>): readonly [string, ReadonlyArray<string>] =>
  process.getuid?.() === 0
    ? ["setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", file, ...args]]
    : [file, args]

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => done(port))
    })
  })

const accepts = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("connect", () => {
      socket.destroy()
      done(true)
    }).on("error", () => done(false))
  })

const started = async (): Promise<{ readonly url: string; readonly folder: string; readonly child: ChildProcess }> => {
  const folder = await mkdtemp(join(tmpdir(), "aiocontext-postgres-"))
  const data = join(folder, "data")
  await chmod(folder, 0o777)
  await mkdir(join(folder, "socket"))
  await chmod(join(folder, "socket"), 0o777)
  const [initdb, initArgs] = asUser(binary("initdb")!, ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync"])
  await promisify(execFile)(initdb, initArgs)
  const port = await freePort()
  const [postgres, args] = asUser(binary("postgres")!, [
    "-D",
    data,
    "-p",
    String(port),
    "-h",
    "127.0.0.1",
    "-k",
    join(folder, "socket"),
    "-F"
  ])
  const child = spawn(postgres, args, { stdio: "ignore" })
  while (!await accepts(port)) {
    if (child.exitCode !== null) {
      throw new Error(`postgres ended with ${child.exitCode}`)
    }
    await new Promise((done) => setTimeout(done, 50))
  }
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, folder, child }
}

/** A server, and its URL. */
export const postgres: Effect.Effect<string, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(Effect.promise(started), ({ child, folder }) =>
    Effect.promise(async () => {
      const exited = new Promise((done) => child.once("exit", done))
      // its "immediate shutdown"
      if (child.exitCode === null && child.kill("SIGQUIT")) {
        await exited
      }
      await rm(folder, { recursive: true, force: true })
    })),
  ({ url }) => url
)
