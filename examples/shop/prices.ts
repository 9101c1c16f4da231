/**
 * The prices, on Hono: promise code. Every third price is a partner's, to whom it redirects.
 */
import { getRequestListener } from "@hono/node-server"
import * as NodeContext from "aiocontext/propagation/Node"
import type { Effect, Scope } from "effect"
import { Hono } from "hono"
import { createServer } from "node:http"
import { type Ledger, listen } from "./ledger.js"
import { Request, request } from "./request.js"

/** Whether an order's price is a partner's. */
export const isPartners = (number: string): boolean => Number(number) % 3 === 0

/** What the price list is read with: it knows nothing of requests. */
const readList = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Starts the prices, in front of a partner. */
export const startPrices = (ledger: Ledger, partner: string): Effect.Effect<string, never, Scope.Scope> => {
  const app = new Hono()
  app.use(NodeContext.hono(Request, {
    seed: (got) => ({ id: crypto.randomUUID(), tenant: "nobody", ...got }),
    // it can be reached from inside only
    trusted: () => true
  }))
  app.get("/prices/:number", async (c) => {
    const number = c.req.param("number")
    ledger.hops.push({ from: "orders", to: "prices", order: number, headers: c.req.header() })
    await readList()
    const { id, locale, tenant } = request.toObject()
    ledger.lines.push({ service: "prices", message: `order ${number}: found`, id, tenant })
    return isPartners(number)
      ? c.redirect(`${partner}/rates/${number}`)
      : c.json({ prices: { id, tenant, locale } })
  })
  return listen(createServer(getRequestListener(app.fetch)))
}
