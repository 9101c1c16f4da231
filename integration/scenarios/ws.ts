import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { WebSocket, WebSocketServer } from "ws"
import type { Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "ws",
  packages: ["ws"],
  start: async ({ bind, bindEmitter, checkOf, enter, run }) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
    server.on("connection", (socket, request) => {
      const id = request.headers["x-request-id"] as string
      const check = checkOf(id)
      enter(id, () => {
        socket.on("message", () => check("in a listener of message"))
        socket.on("message", bind(() => check("in a bound listener of message")))
        bindEmitter(socket)
        socket.on("message", async (data) => {
          check("in a listener of a bound emitter")
          await run(id, work)
          check("after the run")
          socket.send(data)
        })
        socket.on("close", () => check("in a listener of close"))
      })
    })
    await once(server, "listening")
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      request: async (id) => {
        const socket = new WebSocket(url, { headers: { "x-request-id": id } })
        await once(socket, "open")
        socket.send(id)
        await once(socket, "message")
        socket.close()
        await once(socket, "close")
      },
      stop: () => new Promise<void>((resolve) => server.close(() => resolve()))
    }
  },
  expected: {
    "in a listener of message": {
      ...everywhere("lost"),
      why: "the socket calls it, which is older than the request that listens",
      mend: "compat.bindEmitter(socket)"
    }
  }
}
