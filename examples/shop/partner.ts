/**
 * A partner's server: a stranger, who notes whatever it is sent.
 */
import type { Effect, Scope } from "effect"
import { createServer } from "node:http"
import { type Ledger, listen } from "./ledger.js"

/** Starts the partner. */
export const startPartner = (ledger: Ledger): Effect.Effect<string, never, Scope.Scope> =>
  listen(createServer(({ headers, url = "" }, response) => {
    ledger.hops.push({ from: "orders", to: "partner", order: url.replace("/rates/", ""), headers })
    response.setHeader("content-type", "application/json").end("{}")
  }))
