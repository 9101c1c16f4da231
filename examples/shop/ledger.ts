/**
 * What the services note while they run, for the demo to check.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import type { IncomingHttpHeaders, Server } from "node:http"
import type { AddressInfo } from "node:net"

/** A log line, with the request that its service believed to run for. */
export interface Line {
  readonly service: string
  readonly message: string
  readonly id: unknown
  readonly tenant: unknown
}

/** A request from one service to another, as it arrived. */
export interface Hop {
  readonly from: string
  readonly to: string
  readonly order: string
  readonly headers: IncomingHttpHeaders
}

/** Where the services note it. */
export interface Ledger {
  readonly lines: Array<Line>
  readonly hops: Array<Hop>
}

export const makeLedger = (): Ledger => ({ lines: [], hops: [] })

/** What a service says that it saw. */
export interface Seen {
  readonly id: string
  readonly tenant: string
  readonly locale: string
}

/** Starts a server on a free port of this machine, until the scope is closed. */
export const listen = (server: Server): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<string>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
      })
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** A host, as the clients' lists of trusted servers name it. */
export const hostOf = (url: string): string => new URL(url).host
