/**
 * Database servers of the system, for the time of a test: in a temporary folder, on a free port of the loopback address.
 *
 * Where one is not installed, its tests are skipped and say so; with `CI` set they fail.
 */
import { it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const postgresVersions = "/usr/lib/postgresql"

const folders = (): ReadonlyArray<string> => [
  ...(process.env["PATH"] ?? "").split(":"),
  // Debian keeps several versions side by side, and none of them in the path
  ...existsSync(postgresVersions) ? readdirSync(postgresVersions).map((v) => join(postgresVersions, v, "bin")) : []
]

const find = (program: string): string | undefined =>
  folders().map((folder) => join(folder, program)).findLast(existsSync)

/** PostgreSQL does not run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

/** How a server is run. */
interface Program {
  /** What Debian calls it. */
  readonly package: string
  readonly binaries: ReadonlyArray<string>
  readonly prepare?: (binary: (name: string) => string, folder: string) => Promise<unknown>
  readonly args: (port: number, folder: string) => ReadonlyArray<string>
  readonly isReady: RegExp
  readonly stop: NodeJS.Signals
}

/** Waits until a server says that it is ready; `false` where it ends before. */
const ready = (server: ChildProcess, isReady: RegExp): Promise<boolean> =>
  new Promise((resolve) => {
    let said = ""
    const listen = (chunk: Buffer) => {
      said += String(chunk)
      if (isReady.test(said)) {
        resolve(true)
      }
    }
    server.stdout!.on("data", listen)
    server.stderr!.on("data", listen)
    server.once("exit", () => resolve(false))
  })

const stop = async (server: ChildProcess, signal: NodeJS.Signals, folder: string): Promise<void> => {
  if (server.exitCode === null) {
    const ended = once(server, "exit")
    server.kill(signal)
    await ended
  }
  rmSync(folder, { recursive: true, force: true })
}

const start = async (program: Program): Promise<{ readonly port: number; readonly end: () => Promise<void> }> => {
  const binary = (name: string) => {
    const path = find(name)
    if (path === undefined) {
      throw new Error(`${name} is not installed: apt-get install ${program.package}`)
    }
    return path
  }
  const server = binary(program.binaries[0]!)
  const folder = mkdtempSync(join(tmpdir(), "aiocontext-database-"))
  if (nobody) {
    chownSync(folder, nobody.uid, nobody.gid)
  }
  await program.prepare?.(binary, folder)
  // somebody else may take the port in between
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await freePort()
    const child = spawn(server, program.args(port, folder), {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      ...nobody
    })
    process.once("exit", () => child.kill("SIGKILL"))
    if (await ready(child, program.isReady)) {
      return { port, end: () => stop(child, program.stop, folder) }
    }
  }
  throw new Error(`${server} did not start`)
}

const running = (program: Program): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(() => start(program)), ({ end }) => Effect.promise(end)),
    ({ port }) => port
  )

const redis: Program = {
  package: "redis-server",
  binaries: ["redis-server"],
  args: (
    port,
    folder
  ) => ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
  isReady: /Ready to accept connections/,
  stop: "SIGTERM"
}

const postgres: Program = {
  package: "postgresql",
  binaries: ["postgres", "initdb"],
  prepare: (binary, folder) =>
    promisify(execFile)(
      binary("initdb"),
      ["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      { cwd: folder, ...nobody }
    ),
  args: (port, folder) =>
    [
      ["-D", join(folder, "data"), "-k", folder, "-h", "127.0.0.1", "-p", String(port)],
      ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"].flatMap((set) => ["-c", set])
    ].flat(),
  isReady: /database system is ready to accept connections/,
  stop: "SIGINT"
}

/** The port of a Redis server. */
export class Redis extends Context.Tag("test/Redis")<Redis, number>() {
  static readonly layer: Layer.Layer<Redis> = Layer.scoped(Redis, running(redis))
}

/** The port of a PostgreSQL server, whose user is `postgres`, without a password. */
export class Postgres extends Context.Tag("test/Postgres")<Postgres, number>() {
  static readonly layer: Layer.Layer<Postgres> = Layer.scoped(Postgres, running(postgres))
}

const whereInstalled = (program: Program) => (tests: () => void): void => {
  const missing = program.binaries.filter((name) => find(name) === undefined)
  if (missing.length > 0 && process.env["CI"] === undefined) {
    it.skip(`${missing.join(" and ")} not installed: apt-get install ${program.package}`, () => {})
  } else {
    tests()
  }
}

/** Defines tests that need a Redis server. */
export const whereRedis: (tests: () => void) => void = whereInstalled(redis)

/** Defines tests that need a PostgreSQL server. */
export const wherePostgres: (tests: () => void) => void = whereInstalled(postgres)
