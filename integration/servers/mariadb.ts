import type { Server } from "./process.js"
import { findProgram, freePort, makeFolder, runProgram, serviceUser, startServer, versionOf } from "./process.js"

export const startMariadb = async (): Promise<Server> => {
  const install = findProgram("mariadb-install-db", "mariadb-server")
  const path = findProgram("mariadbd", "mariadb-server")
  const user = serviceUser("mysql")
  const folder = makeFolder("mariadb", user)
  const data = `${folder}/data`
  await runProgram(
    install,
    ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", "--skip-test-db"],
    user
  )
  const port = await freePort()
  const args = [
    "--no-defaults",
    `--datadir=${data}`,
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    `--socket=${folder}/socket`,
    `--pid-file=${folder}/pid`,
    "--innodb-flush-log-at-trx-commit=0"
  ]
  const stop = await startServer({ path, args, port, folder, user, endsBy: "SIGTERM" })
  return { url: `mysql://root@127.0.0.1:${port}/mysql`, version: await versionOf(path), stop }
}
