/** An app that is one long effect, in `runMain`: a worker of a layer's, and a request to it. */
import { NodeRuntime } from "@effect/platform-node"
import { context, Ctx } from "aiocontext"
import { Deferred, Effect, Layer, Queue } from "effect"
import { setTimeout } from "node:timers/promises"

type Message = readonly [id: string, done: Deferred.Deferred<string>]

class Bus extends Effect.Service<Bus>()("test/register/Bus", {
  scoped: Effect.gen(function*() {
    const queue = yield* Queue.unbounded<Message>()
    const handle = ([id, done]: Message) =>
      Effect.promise(async () => {
        await setTimeout(1)
        return `${context.get("id")} of ${context.get("of")}`
      }).pipe(Ctx.provide({ id, of: "the worker" }), Effect.intoDeferred(done))
    yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(queue), handle)))
    return { queue }
  })
}) {}

const request = (id: string) =>
  Effect.gen(function*() {
    const { queue } = yield* Bus
    const done = yield* Deferred.make<string>()
    yield* Queue.offer(queue, [id, done])
    const answer = yield* Deferred.await(done)
    return [answer, yield* Effect.promise(async () => `${context.get("id")} of ${context.get("of")}`)]
  }).pipe(Ctx.provide({ id, of: "the request" }))

const program = Effect.flatMap(
  Effect.all([request("a"), request("b")], { concurrency: 2 }),
  (seen) => Effect.sync(() => console.log(JSON.stringify(seen)))
)

NodeRuntime.runMain(Effect.provide(program, Layer.mergeAll(Bus.Default, Layer.empty)))
