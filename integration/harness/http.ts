/**
 * What scenarios of HTTP servers share: a free port, and a client that says the request's id.
 */
import { once } from "node:events"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"
import { request } from "undici"

export const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** Has a server listen on a free port. */
export const serve = async (server: Server): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: urlOf(server),
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, "close")
    }
  }
}

/** Posts a request's id, in a header and in the body. */
export const post = async (url: string, id: string, body: unknown = { id }): Promise<unknown> => {
  const answer = await request(url, {
    method: "POST",
    headers: { "x-request-id": id, "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) {
    throw new Error(`${url} answered ${answer.statusCode}: ${text}`)
  }
  return JSON.parse(text)
}
