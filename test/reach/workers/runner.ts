/** A worker whose requests and answers have schemas. */
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as WorkerRunner from "@effect/platform/WorkerRunner"
import * as ContextLayers from "aiocontext/Layer"
import * as WorkerContext from "aiocontext/propagation/Worker"
import { Context, Deferred, Effect, Layer, Stream } from "effect"
import { otherId, Request, seed } from "../request.js"
import { seen, Shop, shopSeed } from "../shop.js"
import { Requests } from "./requests.js"

class StartedBy extends Context.Tag("StartedBy")<StartedBy, string>() {}

const hung = new Map<string, Array<string>>()
const note = (round: string, what: string) => {
  hung.set(round, [...hung.get(round) ?? [], what])
}
const noteOfTenant = (round: string, what: string) =>
  Effect.map(Request.get("tenant"), (tenant) => note(round, `${tenant} ${what}`))

const meetings = new Map<string, { arrived: number; readonly all: Deferred.Deferred<void> }>()

const handlers = WorkerRunner.layerSerialized(Requests, {
  InitialMessage: () => Layer.effect(StartedBy, Request.get("tenant")),
  Started: () => StartedBy,
  Who: () => seen,
  Whose: ({ count }) => Stream.repeatEffect(Effect.zipRight(Effect.yieldNow(), seen)).pipe(Stream.take(count)),
  Fail: () => Effect.flatMap(Request.get("tenant"), (tenant) => Effect.fail(`failed for ${tenant}`)),
  Die: () => Effect.flatMap(Request.get("tenant"), (tenant) => Effect.dieMessage(`died for ${tenant}`)),
  Meet: ({ count, round }) =>
    Effect.gen(function*() {
      const before = yield* Request.get("tenant")
      yield* Request.set("locale", "de")
      const meeting = meetings.get(round) ?? { arrived: 0, all: yield* Deferred.make<void>() }
      meetings.set(round, meeting)
      if (++meeting.arrived === count) {
        yield* Deferred.succeed(meeting.all, undefined)
      }
      yield* Deferred.await(meeting.all)
      return `${before} ${yield* Request.get("tenant")} ${yield* Request.get("locale")}`
    }),
  Hang: ({ round }) =>
    noteOfTenant(round, "waits").pipe(
      Effect.zipRight(Effect.never),
      Effect.onInterrupt(() => noteOfTenant(round, "interrupted"))
    ),
  Hung: ({ round }) => Effect.sync(() => hung.get(round) ?? [])
})

/** A seed that misbehaves where the tenant says so. */
const seeding = ({ tenant, ...got }: Partial<typeof Request.schema.Type>) => {
  switch (tenant) {
    case "throws":
      throw new Error("no seed")
    case "dies":
      return Effect.dieMessage("no seed")
    case "waits":
      note("seed", "waits")
      return Effect.onInterrupt(Effect.never, () => Effect.sync(() => note("seed", "interrupted")))
    default:
      return seed({ ...got, ...tenant === undefined ? {} : { tenant } })
  }
}

const late = Layer.merge(ContextLayers.late(Request), ContextLayers.late(Shop))

const decorated = WorkerContext.layerRunner(Request, { seed: seeding }).pipe(
  // an effect as a seed
  Layer.provideMerge(WorkerContext.layerRunner(Shop, { seed: (got) => Effect.succeed(shopSeed(got)) })),
  Layer.provide(NodeWorkerRunner.layer)
)

// an older release, which has contexts of its own and knows nothing of carriers
const older = Layer.merge(Request.layer({ id: otherId, tenant: "older" }), Shop.layer(shopSeed({})))

NodeWorkerRunner.launch(
  process.env["SIDE"] === "older"
    ? handlers.pipe(Layer.provide(older), Layer.provide(NodeWorkerRunner.layer))
    : handlers.pipe(Layer.provide(late), Layer.provide(decorated))
).pipe(Effect.runFork)
