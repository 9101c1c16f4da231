import { Schema } from "effect"
import * as ContextSchema from "../../dist/ContextSchema.js"

/** A context that crosses boundaries: a header and two members of the baggage. */
export class Request extends ContextSchema.Tag("bench/Request")({
  id: Schema.UUID.pipe(ContextSchema.key({ header: "x-request-id" })),
  tenant: Schema.NonEmptyString.pipe(ContextSchema.key({ baggage: "tenant" })),
  locale: Schema.Literal("en", "de").pipe(ContextSchema.key({ baggage: "locale" }))
}) {}

export const request = { id: "3f6f6d6e-6c0e-4d0e-9b0a-1f3a5c7e9b1d", tenant: "acme", locale: "de" }

export const seed = (got) => ({ id: "9c1a7b52-0d3e-4f7a-8a64-5b2e1f0c3d4e", tenant: "none", locale: "en", ...got })
