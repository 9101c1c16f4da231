/**
 * The servers that scenarios need: of Debian's packages, on free ports of this machine, their data in temporary folders.
 */
import { startMariadb } from "./mariadb.js"
import { startPostgres } from "./postgres.js"
import type { Server } from "./process.js"
import { startRedis } from "./redis.js"

const starters = { postgres: startPostgres, redis: startRedis, mariadb: startMariadb }

export type ServerName = keyof typeof starters

/** Where each server is: an address as its clients take it. */
export type Servers = Readonly<Record<ServerName, string>>

export interface RunningServers {
  readonly urls: Partial<Servers>
  readonly versions: ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

export const startServers = async (names: ReadonlyArray<ServerName>): Promise<RunningServers> => {
  const results = await Promise.allSettled(names.map((name) => starters[name]()))
  const running: ReadonlyArray<Server> = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : []
  )
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
  }
  const failed = results.find((result) => result.status === "rejected")
  if (failed !== undefined) {
    await stop()
    throw failed.reason
  }
  return {
    urls: Object.fromEntries(names.map((name, index) => [name, running[index]!.url])),
    versions: names.map((name, index) => `${name} ${running[index]!.version}`),
    stop
  }
}
