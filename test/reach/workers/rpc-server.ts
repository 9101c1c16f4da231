/** An RPC server in a worker. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import { RpcServer, RpcTest } from "@effect/rpc"
import { Effect, Layer } from "effect"
import { Api, client, handlers, server, trusted } from "../rpc.js"

const local = Layer.mergeAll(server(trusted), client(trusted))

/** Calls inside of the worker go to handlers of its own. */
const nested = (depth: number): Effect.Effect<ReadonlyArray<string>> =>
  Effect.flatMap(RpcTest.makeClient(Api), (api) => Effect.orDie(api.Nested({ depth }))).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(handlers(nested), local))
  )

// what the test asks for
const sides = { server: JSON.parse(process.env["SIDE"] ?? "{}") }

RpcServer.layer(Api, { disableFatalDefects: true }).pipe(
  Layer.provide(Layer.merge(handlers(nested), server(sides))),
  Layer.provide(RpcServer.layerProtocolWorkerRunner),
  Layer.provide(NodeWorkerRunner.layer),
  NodeWorkerRunner.launch,
  Effect.runFork
)
