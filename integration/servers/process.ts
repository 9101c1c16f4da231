/**
 * Programs of Debian's packages that are run for the scenarios: found, started in a folder of their own, stopped by their id.
 */
import { execFile, spawn } from "node:child_process"
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { promisify } from "node:util"

export interface Server {
  readonly url: string
  readonly version: string
  readonly stop: () => Promise<void>
}

const postgresFolders = (): ReadonlyArray<string> => {
  try {
    return readdirSync("/usr/lib/postgresql").map((version) => `/usr/lib/postgresql/${version}/bin`)
  } catch {
    return []
  }
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const findProgram = (name: string, debianPackage: string): string => {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", ...postgresFolders()]
  const path = folders.map((folder) => join(folder, name)).find(isExecutable)
  if (path === undefined) {
    throw new Error(`${name} is missing: apt-get install ${debianPackage}`)
  }
  return path
}

/** Who runs a server that refuses to be run by root: the user that its Debian package makes. */
export interface User {
  readonly uid: number
  readonly gid: number
}

export const serviceUser = (name: string): User | undefined => {
  if (process.getuid?.() !== 0) {
    return undefined
  }
  const [, , uid, gid] = readFileSync("/etc/passwd", "utf8").split("\n").find((line) => line.startsWith(`${name}:`))
    ?.split(":") ?? []
  if (uid === undefined || gid === undefined) {
    throw new Error(`There is no user ${name}, whom the Debian package makes`)
  }
  return { uid: Number(uid), gid: Number(gid) }
}

export const makeFolder = (name: string, user: User | undefined): string => {
  const folder = mkdtempSync(join(tmpdir(), `aiocontext-${name}-`))
  if (user !== undefined) {
    chownSync(folder, user.uid, user.gid)
  }
  return folder
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })

const execute = promisify(execFile)

/** Runs a program to its end. */
export const runProgram = async (path: string, args: ReadonlyArray<string>, user?: User): Promise<string> =>
  (await execute(path, args, { ...user, maxBuffer: 2 ** 24 })).stdout

export const versionOf = async (path: string): Promise<string> =>
  /\d+\.\d+(\.\d+)?/.exec((await runProgram(path, ["--version"])).replace("Ver", ""))?.[0] ?? "unknown"

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const secondsToStart = 120

/** Starts a server in a folder that goes with it, and waits until it answers. */
export const startServer = async (options: {
  readonly path: string
  readonly args: ReadonlyArray<string>
  readonly port: number
  readonly folder: string
  readonly user: User | undefined
  /** What ends it at once, clients or not. */
  readonly endsBy: NodeJS.Signals
}): Promise<() => Promise<void>> => {
  const { args, endsBy, folder, path, port, user } = options
  const child = spawn(path, args, { ...user, cwd: folder, stdio: ["ignore", "pipe", "pipe"] })
  const output: Array<string> = []
  child.stdout.on("data", (chunk) => output.push(String(chunk)))
  child.stderr.on("data", (chunk) => output.push(String(chunk)))
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const kill = () => child.kill(endsBy)
  process.once("exit", kill)
  const deadline = Date.now() + secondsToStart * 1000
  while (!await answers(port)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      kill()
      throw new Error(`${path} did not start:\n${output.join("")}`)
    }
    await setTimeout(50)
  }
  return async () => {
    kill()
    await ended
    process.off("exit", kill)
    rmSync(folder, { recursive: true, force: true })
  }
}
