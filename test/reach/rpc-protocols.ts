/** Real servers of the RPC group, over each protocol, for the time of a test. */
import { FetchHttpClient, HttpRouter } from "@effect/platform"
import { NodeHttpServer, NodeSocket, NodeWorker } from "@effect/platform-node"
import { RpcClient, type RpcClientError, type RpcGroup, RpcSerialization, RpcServer, RpcTest } from "@effect/rpc"
import { Effect, Layer, type Scope } from "effect"
import { createServer } from "node:http"
import { Worker } from "node:worker_threads"
import { Api, client, handlers, server, type Sides } from "./rpc.js"
import { urlOf } from "./servers.js"
import { workerFile } from "./workers/build.js"

export type Client = RpcClient.RpcClient<RpcGroup.Rpcs<typeof Api>, RpcClientError.RpcClientError>

/** Calls what a handler calls in turn, once there is a client. */
const nesting = () => {
  let api: Client | undefined
  return {
    nested: (depth: number) => Effect.orDie(api!.Nested({ depth })),
    opened: (client: Client) => {
      api = client
    }
  }
}

/** Starts an HTTP server with the group at `/rpc`; gives its URL. */
export const serveHttp = (
  sides: Sides,
  protocol: Layer.Layer<RpcServer.Protocol, never, RpcSerialization.RpcSerialization>,
  nested?: (depth: number) => Effect.Effect<ReadonlyArray<string>>,
  serialization: Layer.Layer<RpcSerialization.RpcSerialization> = RpcSerialization.layerNdjson
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    const node = createServer()
    yield* Layer.build(
      HttpRouter.Default.serve().pipe(
        Layer.provide(RpcServer.layer(Api, { disableFatalDefects: false })),
        Layer.provide(Layer.merge(handlers(nested), server(sides))),
        Layer.provide(protocol),
        Layer.provide(serialization),
        Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" }))
      )
    ).pipe(Effect.orDie)
    return urlOf(node)
  })

const open = (
  sides: Sides,
  protocol: Layer.Layer<RpcClient.Protocol>
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.flatMap(
    Layer.build(Layer.merge(client(sides), protocol)),
    (services) => Effect.provide(RpcClient.make(Api), services)
  )

/** A client over HTTP. */
export const openHttp = (url: string, sides: Sides): Effect.Effect<Client, never, Scope.Scope> =>
  open(
    sides,
    RpcClient.layerProtocolHttp({ url: `${url}/rpc` }).pipe(
      Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson])
    )
  )

/** A client over a WebSocket. */
export const openSocket = (url: string, sides: Sides): Effect.Effect<Client, never, Scope.Scope> =>
  open(
    sides,
    RpcClient.layerProtocolSocket().pipe(
      Layer.provide([
        NodeSocket.layerWebSocket(`${url.replace("http", "ws")}/rpc`),
        RpcSerialization.layerNdjson
      ])
    )
  )

/** Each protocol: a server, and a client of it. */
export const protocols: { readonly [name: string]: (sides: Sides) => Effect.Effect<Client, never, Scope.Scope> } = {
  HTTP: (sides) =>
    Effect.gen(function*() {
      const { nested, opened } = nesting()
      const url = yield* serveHttp(sides, RpcServer.layerProtocolHttp({ path: "/rpc" }), nested)
      return yield* Effect.tap(openHttp(url, sides), opened)
    }),
  WebSocket: (sides) =>
    Effect.gen(function*() {
      const { nested, opened } = nesting()
      const url = yield* serveHttp(sides, RpcServer.layerProtocolWebsocket({ path: "/rpc" }), nested)
      return yield* Effect.tap(openSocket(url, sides), opened)
    }),
  "a worker": (sides) =>
    Effect.gen(function*() {
      const file = yield* workerFile("rpc-server")
      const env = { SIDE: JSON.stringify(sides.server ?? {}) }
      return yield* open(
        sides,
        RpcClient.layerProtocolWorker({ size: 1, concurrency: 1000 }).pipe(
          Layer.provide(NodeWorker.layerPlatform(() => new Worker(file, { execArgv: [], env }))),
          Layer.orDie
        )
      )
    }),
  memory: (sides) =>
    Effect.gen(function*() {
      const { nested, opened } = nesting()
      const services = yield* Layer.build(Layer.mergeAll(handlers(nested), server(sides), client(sides)))
      const api: Client = yield* Effect.provide(RpcTest.makeClient(Api), services)
      opened(api)
      return api
    })
}
