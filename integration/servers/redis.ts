import type { Server } from "./process.js"
import { findProgram, freePort, makeFolder, serviceUser, startServer, versionOf } from "./process.js"

export const startRedis = async (): Promise<Server> => {
  const path = findProgram("redis-server", "redis-server")
  const user = serviceUser("redis")
  const folder = makeFolder("redis", user)
  const port = await freePort()
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const stop = await startServer({ path, args, port, folder, user, endsBy: "SIGTERM" })
  return { url: `redis://127.0.0.1:${port}`, version: await versionOf(path), stop }
}
