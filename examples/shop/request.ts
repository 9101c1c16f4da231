/**
 * What a request carries through the shop's services. Each key says where it may go.
 */
import { compat } from "aiocontext"
import * as ContextSchema from "aiocontext/ContextSchema"
import { Schema } from "effect"

export class Request extends ContextSchema.Tag<Request>("shop/Request")({
  // anybody may send it, and is sent it
  id: Schema.String.pipe(
    Schema.pattern(/^[\w-]{1,64}$/),
    ContextSchema.key({ header: "x-request-id", in: "public", out: "public", log: "request_id" })
  ),
  // between our own services
  tenant: Schema.NonEmptyString.pipe(Schema.maxLength(64), ContextSchema.key({ baggage: "tenant", log: true })),
  roles: Schema.optionalWith(Schema.Array(Schema.String).pipe(ContextSchema.key({ baggage: "roles" })), {
    exact: true
  }),
  // anybody may ask for a language
  locale: Schema.optionalWith(Schema.Literal("en", "de"), { default: () => "en" as const }).pipe(
    ContextSchema.key({ baggage: "locale", in: "public" })
  ),
  // never leaves the process
  token: Schema.optionalWith(Schema.Redacted(Schema.String), { exact: true })
}) {}

/** The same map, in promise code. */
export const request = compat.make(Request)
