/** A second context beside that of the requests, and what one sees of both. */
import * as ContextSchema from "aiocontext/ContextSchema"
import { Effect, Schema } from "effect"
import { Request } from "./request.js"

export class Shop extends ContextSchema.Tag<Shop>("test/reach/Shop")({
  basket: Schema.String.pipe(ContextSchema.key({ header: "x-basket", in: "public", out: "public" })),
  currency: Schema.String.pipe(ContextSchema.key({ baggage: "currency" }))
}) {}

export const shopSeed = <A extends object>(got: A) => ({ basket: "empty", currency: "EUR", ...got })

export const Seen = Schema.Struct({
  id: Schema.String,
  tenant: Schema.String,
  locale: Schema.String,
  roles: Schema.Array(Schema.String),
  basket: Schema.String,
  currency: Schema.String
})

export const seen = Effect.gen(function*() {
  return {
    id: yield* Request.get("id"),
    tenant: yield* Request.get("tenant"),
    locale: yield* Request.get("locale"),
    roles: yield* Request.get("roles", []),
    basket: yield* Shop.get("basket"),
    currency: yield* Shop.get("currency")
  }
})
