/** A call, and a message to a worker, with a context and without. */
import { Worker } from "@effect/platform"
import { NodeWorker } from "@effect/platform-node"
import { Rpc, RpcGroup, RpcMiddleware, RpcTest } from "@effect/rpc"
import { Effect, identity, Layer, Schema, Scope } from "effect"
import { fileURLToPath } from "node:url"
import * as Threads from "node:worker_threads"
import * as RpcContext from "../../dist/propagation/Rpc.js"
import * as WorkerContext from "../../dist/propagation/Worker.js"
import { contestant, ratio, suite } from "../harness.js"
import { repeat } from "./fixtures.js"
import { Request, request, seed } from "./request.js"

const times = 100

const scope = Effect.runSync(Scope.make())

/** Opens something, which ends with the process of the suite. */
const open = (effect) => Effect.runPromise(Scope.extend(effect, scope))

/** Does something over and over, in the context. */
const inContext = (body) =>
  contestant(times, () => Effect.runPromise(Request.provide(repeat(times, body), request)))

const bareGroup = RpcGroup.make(Rpc.make("Who", { success: Schema.String }))

class RequestRpc extends RpcMiddleware.Tag()("RequestRpc", { wrap: true, provides: Request, requiredForClient: true }) {}
const group = RpcGroup.make(Rpc.make("Who", { success: Schema.String })).middleware(RequestRpc)

const calls = async (group, layer) => {
  const services = await open(Layer.build(layer))
  const client = await open(Effect.provide(RpcTest.makeClient(group), services))
  return inContext(() => client.Who())
}

const messages = async (kind, decorate) => {
  const spawn = () => new Threads.Worker(fileURLToPath(new URL("worker.js", import.meta.url)), { argv: [kind] })
  const services = await open(Layer.build(
    Worker.layerManager.pipe(decorate, Layer.provideMerge(NodeWorker.layerPlatform(spawn)))
  ))
  const pool = await open(Effect.provide(Worker.makePool({ size: 1 }), services))
  return inContext(() => pool.executeEffect("who"))
}

await suite([
  ratio({
    id: "rpc",
    what: "a call of `@effect/rpc` in memory: three keys sent, decoded, attached",
    against: "the same call without a context",
    ours: await calls(
      group,
      Layer.mergeAll(
        group.toLayer({ Who: () => Request.get("tenant") }),
        RpcContext.layerServer(RequestRpc, Request, { seed, trust: "trusted" }),
        RpcContext.layerClient(RequestRpc, Request, { trust: "trusted" })
      )
    ),
    base: await calls(bareGroup, bareGroup.toLayer({ Who: () => Effect.succeed("acme") }))
  }),
  ratio({
    id: "worker",
    what: "a round trip to a worker thread: three keys sent, decoded, attached",
    against: "the same round trip without a context",
    atMost: 1.5,
    ours: await messages("attached", Layer.provide(WorkerContext.layerPlatform(Request))),
    base: await messages("bare", identity)
  })
])
