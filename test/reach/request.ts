/** The context of the contract, as a user writes it. */
import * as ContextSchema from "aiocontext/ContextSchema"
import { Schema } from "effect"

export class Request extends ContextSchema.Tag<Request>("test/reach/Request")({
  id: Schema.UUID.pipe(
    ContextSchema.key({ header: "x-request-id", in: "public", out: "public", log: true, span: "request.id" })
  ),
  tenant: Schema.NonEmptyString.pipe(Schema.maxLength(64), ContextSchema.key({ baggage: "tenant", log: true })),
  locale: Schema.optionalWith(Schema.Literal("en", "de"), { default: () => "en" as const }).pipe(
    ContextSchema.key({ baggage: "locale", in: "public" })
  ),
  roles: Schema.optionalWith(
    Schema.Array(Schema.String).pipe(
      ContextSchema.key({ baggage: "roles", fork: (roles) => roles.filter((role) => role !== "admin") })
    ),
    { exact: true }
  ),
  retries: Schema.optionalWith(
    Schema.NonNegativeInt.pipe(ContextSchema.key({ join: (parent = 0, child) => Math.max(parent, child) })),
    { default: () => 0 }
  ),
  token: Schema.optionalWith(Schema.Redacted(Schema.String), { exact: true })
}) {}

export const id = "3f6f6d6e-6c0e-4d0e-9b0a-1f3a5c7e9b1d"
export const otherId = "9c1a7b52-0d3e-4f7a-8a64-5b2e1f0c3d4e"

/** A whole seed, with what came in over its own values. */
export const seed = <A extends object>(got: A) => ({ id: otherId, tenant: "none", ...got })
