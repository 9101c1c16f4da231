/** Servers over real sockets, on free ports, for the time of a test. */
import { Effect } from "effect"
import type { Scope } from "effect"
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"

/** The URL of a server that listens. */
export const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** Starts a server. */
export const listen = (server: Server): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<string>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(urlOf(server))))
    }),
    () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/** Starts a node:http server. */
export const serve = (listener: RequestListener): Effect.Effect<string, never, Scope.Scope> =>
  Effect.suspend(() => listen(createServer(listener)))

/** A request as a server got it. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * A server that notes what it gets. `/to?…` redirects to the URL in its query, with the status of its path: `/to/307?…`.
 */
export const recorder: Effect.Effect<
  { readonly url: string; readonly seen: ReadonlyArray<Seen> },
  never,
  Scope.Scope
> = Effect.gen(function*() {
  const seen: Array<Seen> = []
  const url = yield* serve((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (chunk) => {
      body += chunk
    }).on("end", () => {
      const { headers, method = "", url = "" } = request
      seen.push({ method, url, headers, body })
      const redirect = /^\/to\/(\d+)\?(.*)$/.exec(url)
      if (redirect) {
        response.writeHead(Number(redirect[1]), { location: decodeURIComponent(redirect[2]!) }).end("moved")
      } else {
        response.end("ok")
      }
    })
  })
  return { url, seen }
})

/** The URL that redirects to another one. */
export const redirect = (from: string, to: string, status = 302): string =>
  `${from}/to/${status}?${encodeURIComponent(to)}`
