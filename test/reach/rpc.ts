/** An RPC group whose calls carry the context, for both sides of every protocol. */
import { Rpc, RpcGroup, RpcMiddleware } from "@effect/rpc"
import { InboundError } from "aiocontext/Propagation"
import * as RpcContext from "aiocontext/propagation/Rpc"
import { Deferred, Effect, Layer, Mailbox, Schema, Stream } from "effect"
import { Request, seed } from "./request.js"
import { Seen, seen, Shop, shopSeed } from "./shop.js"

export class RequestRpc extends RpcMiddleware.Tag<RequestRpc>()("RequestRpc", {
  wrap: true,
  provides: Request,
  requiredForClient: true,
  failure: InboundError
}) {}

export class ShopRpc extends RpcMiddleware.Tag<ShopRpc>()("ShopRpc", {
  wrap: true,
  provides: Shop,
  requiredForClient: true
}) {}

export class Oops extends Schema.TaggedError<Oops>()("Oops", { tenant: Schema.String }) {}

export class Api extends RpcGroup.make(
  Rpc.make("Who", { success: Seen }),
  Rpc.make("Whose", { success: Seen, stream: true, payload: { count: Schema.Number } }),
  Rpc.make("Mailed", { success: Schema.String, stream: true }),
  Rpc.make("Fail", { success: Schema.Void, error: Oops }),
  Rpc.make("Die", { success: Schema.Void }),
  // the call that comes last wakes all of its round
  Rpc.make("Meet", { success: Schema.String, payload: { round: Schema.String, count: Schema.Number } }),
  // calls itself, as another tenant, and gives what it has after that
  Rpc.make("Nested", { success: Schema.Array(Schema.String), payload: { depth: Schema.Number } }),
  Rpc.make("Hang", { success: Schema.Void }),
  // what became of those that hang
  Rpc.make("Hung", { success: Schema.Array(Schema.String) })
).middleware(RequestRpc).middleware(ShopRpc) {}

/** Handlers. `nested` calls the server that is handling a call, or another one. */
export const handlers = (
  nested: (depth: number) => Effect.Effect<ReadonlyArray<string>> = () => Effect.succeed([])
) => {
  const rounds = new Map<string, { arrived: number; readonly all: Deferred.Deferred<void> }>()
  const hung: Array<string> = []
  const note = (what: string) =>
    Effect.map(Request.get("tenant"), (tenant) => {
      hung.push(`${tenant} ${what}`)
    })
  return Api.toLayer({
    Who: () => seen,
    Whose: ({ count }) => Stream.repeatEffect(Effect.zipRight(Effect.yieldNow(), seen)).pipe(Stream.take(count)),
    Mailed: () =>
      Effect.gen(function*() {
        const mailbox = yield* Mailbox.make<string>()
        yield* Effect.forkScoped(
          Effect.flatMap(Request.get("tenant"), (tenant) => mailbox.offerAll([tenant, tenant])).pipe(
            Effect.zipRight(mailbox.end)
          )
        )
        return mailbox
      }),
    Fail: () => Effect.flatMap(Request.get("tenant"), (tenant) => new Oops({ tenant })),
    Die: () => Effect.flatMap(Request.get("tenant"), (tenant) => Effect.dieMessage(`died for ${tenant}`)),
    Meet: ({ count, round }) =>
      Effect.gen(function*() {
        const before = yield* Request.get("tenant")
        yield* Request.set("locale", "de")
        const meeting = rounds.get(round) ?? { arrived: 0, all: yield* Deferred.make<void>() }
        rounds.set(round, meeting)
        if (++meeting.arrived === count) {
          yield* Deferred.succeed(meeting.all, undefined)
        }
        yield* Deferred.await(meeting.all)
        return `${before} ${yield* Request.get("tenant")} ${yield* Request.get("locale")}`
      }),
    Nested: ({ depth }) =>
      Effect.gen(function*() {
        const tenant = yield* Request.get("tenant")
        if (depth === 0) {
          return [tenant]
        }
        yield* Request.set("tenant", `${tenant}.${depth}`)
        const below = yield* nested(depth - 1)
        return [tenant, ...below, yield* Request.get("tenant")]
      }),
    Hang: () =>
      note("waits").pipe(
        Effect.zipRight(Effect.never),
        Effect.onInterrupt(() => note("interrupted"))
      ),
    Hung: () => Effect.sync(() => [...hung])
  })
}

export interface Sides {
  readonly server?: { readonly trust?: "public" | "trusted"; readonly invalid?: "drop" | "reject" }
  readonly client?: { readonly trust?: "public" | "trusted" }
}

/** Two peers that trust each other. */
export const trusted: Sides = { server: { trust: "trusted" }, client: { trust: "trusted" } }

export const server = ({ server = {} }: Sides) =>
  Layer.mergeAll(
    RpcContext.layerServer(RequestRpc, Request, { seed, ...server }),
    RpcContext.layerServer(ShopRpc, Shop, { seed: shopSeed, ...server.trust ? { trust: server.trust } : {} })
  )

export const client = ({ client }: Sides) =>
  Layer.mergeAll(
    RpcContext.layerClient(RequestRpc, Request, client),
    RpcContext.layerClient(ShopRpc, Shop, client)
  )
