/** A worker without schemas: its requests are names. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as WorkerRunner from "@effect/platform/WorkerRunner"
import * as ContextLayers from "aiocontext/Layer"
import * as WorkerContext from "aiocontext/propagation/Worker"
import { Effect, Layer, Stream } from "effect"
import { Request, seed } from "../request.js"

const answer = (name: string) => Effect.map(Request.get("tenant"), (tenant) => `${name} of ${tenant}`)

WorkerRunner.layer((name: string) =>
  name === "stream" ? Stream.repeatEffect(answer(name)).pipe(Stream.take(3)) : answer(name)
)
  .pipe(
    Layer.provide(ContextLayers.late(Request)),
    Layer.provide(WorkerContext.layerRunner(Request, { seed })),
    Layer.provide(NodeWorkerRunner.layer),
    NodeWorkerRunner.launch,
    Effect.runFork
  )
