/** An element that goes through a queue in memory, with a context and without. */
import { PersistedQueue } from "@effect/experimental"
import { Effect, Layer, Schema, Scope } from "effect"
import * as QueueContext from "../../dist/propagation/Queue.js"
import { contestant, ratio, suite } from "../harness.js"
import { repeat } from "./fixtures.js"
import { Request, request, seed } from "./request.js"

const times = 100

const scope = Effect.runSync(Scope.make())

const memory = PersistedQueue.layer.pipe(Layer.provide(PersistedQueue.layerStoreMemory))

const schema = Schema.Struct({ to: Schema.String })

/** Offers elements and takes each, in the context. */
const queued = async (factory) => {
  const services = await Effect.runPromise(Scope.extend(Layer.build(factory), scope))
  const queue = await Effect.runPromise(Effect.provide(PersistedQueue.make({ name: "mails", schema }), services))
  const once = Effect.zipRight(queue.offer({ to: "ann" }), queue.take(() => Effect.void))
  return contestant(times, () => Effect.runPromise(Request.provide(repeat(times, () => once), request)))
}

await suite([
  ratio({
    id: "queue-memory",
    what: "`PersistedQueue` in memory, offer and take: the element carries the context",
    against: "without the layer",
    ours: await queued(QueueContext.layer(Request, { seed }).pipe(Layer.provide(memory))),
    base: await queued(memory)
  })
])
