import { describe, expect, it } from "@effect/vitest"
import { DefinitionError } from "aiocontext"
import { Schema } from "effect"
import { InboundError, type Reason } from "../../src/reach-errors.js"

describe("InboundError", () => {
  const of = (reason: Reason): InboundError => new InboundError({ context: "app/Request", key: "id", reason })

  it("says which key was refused, why, and what to do", () => {
    expect(of("size").message).toBe(
      "The context \"app/Request\" refused what came in for its key \"id\": it is longer than the key's maxBytes. Send" +
        " another value, or receive with { invalid: \"drop\" }."
    )
    expect(of("encoding").message).toContain("has characters that its header may not have")
    expect(of("schema").message).toContain("is not what the key's schema says")
    expect(of("ambiguous").message).toContain("was sent more than once")
  })
  it("is an error, and a schema that goes to a peer and back", () => {
    const error = of("schema")
    expect(error).toBeInstanceOf(Error)
    const sent = JSON.stringify(Schema.encodeSync(InboundError)(error))
    expect(JSON.parse(sent)).toEqual({ _tag: "InboundError", context: "app/Request", key: "id", reason: "schema" })
    expect(Schema.decodeUnknownSync(InboundError)(JSON.parse(sent))).toEqual(error)
  })
})

describe("DefinitionError", () => {
  it("says which key is at fault, and what to write instead", () => {
    expect(new DefinitionError({ context: "app/Request", key: "id", problem: "no." }).message).toBe(
      "The context \"app/Request\", key \"id\": no."
    )
  })
})
