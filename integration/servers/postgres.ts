import type { Server } from "./process.js"
import { findProgram, freePort, makeFolder, runProgram, serviceUser, startServer, versionOf } from "./process.js"

export const startPostgres = async (): Promise<Server> => {
  const initdb = findProgram("initdb", "postgresql")
  const path = findProgram("postgres", "postgresql")
  const user = serviceUser("postgres")
  const folder = makeFolder("postgres", user)
  await runProgram(initdb, ["-D", `${folder}/data`, "-U", "app", "-A", "trust", "-E", "UTF8", "--no-sync"], user)
  const port = await freePort()
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: folder, fsync: "off" }
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const stop = await startServer({
    path,
    args: ["-D", `${folder}/data`, "-p", `${port}`, ...args],
    port,
    folder,
    user,
    endsBy: "SIGQUIT"
  })
  return { url: `postgres://app@127.0.0.1:${port}/postgres`, version: await versionOf(path), stop }
}
