/** An ask of an entity of `@effect/cluster`, with a context and without. */
import { Entity, TestRunner } from "@effect/cluster"
import { Rpc } from "@effect/rpc"
import { Effect, Layer, Logger, Schema, Scope } from "effect"
import * as ContextSchema from "../../dist/ContextSchema.js"
import { late } from "../../dist/Layer.js"
import * as ClusterContext from "../../dist/propagation/Cluster.js"
import { contestant, ratio, suite } from "../harness.js"
import { repeat } from "./fixtures.js"

const times = 100

class Sender extends ContextSchema.Tag("bench/Sender")({
  id: Schema.UUID.pipe(ContextSchema.key({ header: "x-request-id" })),
  tenant: Schema.NonEmptyString.pipe(ContextSchema.key({ baggage: "tenant" })),
  locale: Schema.Literal("en", "de").pipe(ContextSchema.key({ baggage: "locale" }))
}) {}

const sender = { id: "3f6f6d6e-6c0e-4d0e-9b0a-1f3a5c7e9b1d", tenant: "acme", locale: "de" }

const Thing = Entity.make("Thing", [Rpc.make("Who", { success: Schema.String })])

const asks = async (handler, decorate) => {
  const live = Thing.toLayer({ Who: () => handler }).pipe(
    Layer.provide(late(Sender)),
    Layer.provideMerge(TestRunner.layer.pipe(decorate)),
    Layer.provide(Logger.remove(Logger.defaultLogger))
  )
  const scope = await Effect.runPromise(Scope.make())
  const services = await Effect.runPromise(Scope.extend(Layer.build(live), scope))
  const client = await Effect.runPromise(Effect.provide(Thing.client, services))
  // the entity is built by the first
  await Effect.runPromise(client("1").Who())
  return contestant(times, () => Effect.runPromise(Sender.provide(repeat(times, () => client("1").Who()), sender)))
}

const cluster = ClusterContext.layer(Sender, { seed: (got) => ({ ...sender, ...got }) })

await suite([
  ratio({
    id: "cluster",
    what: "an ask of an entity on the same runner: three keys sent, decoded, attached",
    against: "the same ask without the layer",
    ours: await asks(Sender.get("tenant"), (runner) => Layer.provideMerge(cluster, runner)),
    base: await asks(Effect.succeed("acme"), (runner) => runner)
  })
])
