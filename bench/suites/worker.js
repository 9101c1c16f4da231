/** A worker thread that answers at once, with a context around each message or without. */
import { WorkerRunner } from "@effect/platform"
import { NodeWorkerRunner } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import * as ContextLayers from "../../dist/Layer.js"
import * as WorkerContext from "../../dist/propagation/Worker.js"
import { Request, seed } from "./request.js"

const bare = WorkerRunner.layer(() => Effect.succeed("acme")).pipe(Layer.provide(NodeWorkerRunner.layer))

const attached = WorkerRunner.layer(() => Request.get("tenant")).pipe(
  Layer.provide(ContextLayers.late(Request)),
  Layer.provide(WorkerContext.layerRunner(Request, { seed })),
  Layer.provide(NodeWorkerRunner.layer)
)

Effect.runFork(NodeWorkerRunner.launch(process.argv[2] === "attached" ? attached : bare))
