import { createServer } from "node:http"
import { Server } from "socket.io"
import { io } from "socket.io-client"
import { serve } from "../harness/http.js"
import type { Scenario } from "../harness/scenario.js"
import { everywhere } from "../harness/scenario.js"
import { work } from "../harness/work.js"

export const scenario: Scenario = {
  library: "Socket.IO",
  packages: ["socket.io"],
  start: async ({ bind, bindEmitter, checkOf, enter, run }) => {
    const server = createServer()
    const sockets = new Server(server)
    sockets.use((socket, next) => enter(socket.handshake.auth["id"], next))
    sockets.use((socket, next) => {
      checkOf(socket.handshake.auth["id"])("in a middleware")
      next()
    })
    sockets.on("connection", (socket) => {
      const { id } = socket.handshake.auth as { readonly id: string }
      const check = checkOf(id)
      check("in a listener of connection")
      socket.on("order", () => check("in a listener of an event"))
      enter(id, () => {
        socket.on("order", bind(() => check("in a bound listener of an event")))
        bindEmitter(socket)
        socket.on("order", async (answer: () => void) => {
          check("in a listener of a bound emitter")
          await run(id, work)
          check("after the run")
          answer()
        })
      })
    })
    const { stop, url } = await serve(server)
    return {
      request: async (id) => {
        const socket = io(url, { transports: ["websocket"], auth: { id }, forceNew: true })
        await socket.timeout(60_000).emitWithAck("order")
        socket.disconnect()
      },
      stop: async () => {
        const closed = sockets.close()
        await stop().catch(() => {})
        await closed
      }
    }
  },
  expected: {
    "in a listener of an event": {
      ...everywhere("lost"),
      why: "the socket calls it, which is older than what a middleware enters",
      mend: "compat.bindEmitter(socket)"
    }
  }
}
