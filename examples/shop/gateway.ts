/**
 * The gateway, on Express: promise code. It has a port for the edge that is our own, and one for everybody.
 */
import * as FetchContext from "aiocontext/propagation/Fetch"
import * as NodeContext from "aiocontext/propagation/Node"
import { Effect, Redacted, type Scope } from "effect"
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { hostOf, type Ledger, listen, type Seen } from "./ledger.js"
import { Request, request } from "./request.js"

/** What is used of Express, which brings no types. */
interface Express extends RequestListener {
  readonly use: (middleware: unknown) => void
  readonly get: (
    path: string,
    handler: (
      request: IncomingMessage & { readonly params: { readonly number: string } },
      response: ServerResponse & { readonly json: (body: unknown) => void }
    ) => Promise<void>
  ) => void
}

const require = createRequire(import.meta.url)
const express = require("express") as () => Express

/** The tenant whose key a stranger has. */
const tenantOf = ({ headers }: IncomingMessage): string =>
  /^key-of-(.+)$/.exec(String(headers["x-api-key"]))?.[1] ?? "nobody"

/** What the services saw of a request, from the gateway inwards. */
export type Answer = { readonly [service: string]: Seen }

/** Starts the gateway, in front of the orders. */
export const startGateway = (
  ledger: Ledger,
  orders: string
): Effect.Effect<{ readonly trusted: string; readonly untrusted: string }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const app = express()
    const inside = createServer(app)
    const isInside = ({ socket }: IncomingMessage) => socket.localPort === (inside.address() as AddressInfo).port

    app.use(NodeContext.middleware(Request, {
      seed: (got, incoming) => ({
        id: crypto.randomUUID(),
        tenant: tenantOf(incoming),
        token: Redacted.make(String(incoming.headers["authorization"])),
        ...got
      }),
      trusted: isInside,
      echo: ["id"]
    }))

    const log = (message: string) =>
      ledger.lines.push({
        service: "gateway",
        message,
        id: request.peek("id"),
        tenant: request.peek("tenant")
      })
    const send = FetchContext.wrap(fetch, Request, { trusted: [hostOf(orders)] })

    app.get("/orders/:number", async (incoming, response) => {
      const { number } = incoming.params
      const from = isInside(incoming) ? "our own edge" : "a stranger"
      ledger.hops.push({ from, to: "gateway", order: number, headers: incoming.headers })
      log(`order ${number}: asked for`)
      const answer = await send(`${orders}/orders/${number}`)
      const seen = await answer.json() as Answer
      log(`order ${number}: answered`)
      const { id, locale, tenant } = request.toObject()
      response.json({ gateway: { id, tenant, locale }, ...seen })
    })

    return { trusted: yield* listen(inside), untrusted: yield* listen(createServer(app)) }
  })
