import { PersistedQueue } from "@effect/experimental"
import { expect, layer } from "@effect/vitest"
import { DurableQueue, Workflow, WorkflowEngine } from "@effect/workflow"
import { late } from "aiocontext/Layer"
import * as QueueContext from "aiocontext/propagation/Queue"
import { Effect, Layer, Redacted, Schema } from "effect"
import { plain } from "../support.js"
import { Contents, stores } from "./queue-stores.js"
import { id, Request, seed } from "./request.js"

/** A queue of mails, and the two sides of it. */
const makeMails = (name: string) => {
  const mails = DurableQueue.make({
    name,
    payload: { to: Schema.String },
    success: Schema.Struct({ to: Schema.String, context: Schema.Unknown }),
    idempotencyKey: ({ to }) => to
  })
  const Send = Workflow.make({
    name: `Send/${name}`,
    payload: { to: Schema.String },
    success: Schema.Unknown,
    idempotencyKey: ({ to }) => to
  })
  const workflow = Send.toLayer(({ to }) =>
    DurableQueue.process(mails, { to }).pipe(
      Effect.orDie,
      Request.provide({ id, tenant: `tenant of ${to}`, token: Redacted.make("s3cret") })
    )
  )
  const worker = DurableQueue.worker(
    mails,
    ({ to }) =>
      Effect.gen(function*() {
        // the engine in memory does not resume what has not suspended yet
        yield* Effect.flatMap(Send.executionId({ to }), Send.poll).pipe(
          Effect.delay("1 millis"),
          Effect.repeat({ until: (result) => result !== undefined })
        )
        return { to, context: plain(yield* Request.data) }
      })
  ).pipe(Layer.provide(late(Request)))
  return { Send, workflow, worker }
}

const queues = QueueContext.layer(Request, { seed, keys: ["id", "tenant"] }).pipe(Layer.provide(PersistedQueue.layer))

const running = <E>(
  layer: Layer.Layer<never, E, WorkflowEngine.WorkflowEngine | PersistedQueue.PersistedQueueFactory>
) => layer.pipe(Layer.provideMerge(WorkflowEngine.layerMemory), Layer.provide(queues))

// its ids are longer than the column of PostgreSQL
for (const name of ["memory", "SQLite", "Redis"]) {
  const { layer: store, where } = stores[name]!
  where(() =>
    layer(store, { excludeTestServices: true, timeout: "60 seconds" })(`a DurableQueue in ${name}`, (it) => {
      it.effect("runs its worker with the keys of whoever offered", () => {
        const { Send, worker, workflow } = makeMails("handled")
        return Effect.gen(function*() {
          const sending = Effect.forEach(["ann", "bob"], (to) => Send.execute({ to }), { concurrency: 2 })
          expect(yield* sending.pipe(Request.provide({ id, tenant: "caller" }))).toEqual(["ann", "bob"].map((to) => ({
            to,
            context: { id, tenant: `tenant of ${to}`, locale: "en", retries: 0 }
          })))
        }).pipe(Effect.provide(running(Layer.merge(workflow, worker))), Effect.timeout("30 seconds"))
      })

      it.effect("stores the listed keys beside its own, for a worker that is elsewhere", () => {
        const { Send, workflow } = makeMails("stored")
        return Effect.gen(function*() {
          const contentsOf = yield* Contents
          yield* Send.execute({ to: "eve" }, { discard: true })
          const contents = yield* Effect.delay(contentsOf("DurableQueue/stored"), "5 millis").pipe(
            Effect.repeat({ until: (contents) => contents.includes(`{"to":"eve"}`) })
          )
          expect(contents).toContain(`"~aiocontext":{"x-request-id":"${id}","baggage":"tenant=tenant%20of%20eve"}`)
          expect(contents).not.toMatch(/s3cret|locale/)
        }).pipe(Effect.provide(running(workflow)), Effect.timeout("30 seconds"))
      })
    })
  )
}
