/**
 * What can go wrong with entries that cross a process boundary. No error here contains a value: what a peer sent may be
 * a secret, and errors end up in logs. It is apart from `errors.ts` because it is a schema: whoever imports the core must
 * not wait for `effect/Schema` to load.
 *
 * @module
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * Why an entry was refused: longer than its `maxBytes`; not text that its kind of header may have; not what its schema
 * says; sent more than once.
 *
 * @category models
 * @since 1.0.0
 */
export type Reason = "size" | "encoding" | "schema" | "ambiguous"

const InboundErrorBase: Schema.TaggedErrorClass<InboundError, "InboundError", {
  readonly _tag: Schema.tag<"InboundError">
  readonly context: typeof Schema.String
  readonly key: typeof Schema.String
  readonly reason: Schema.Literal<["size", "encoding", "schema", "ambiguous"]>
}> = /* @__PURE__ */ (() =>
  Schema.TaggedError<InboundError>("aiocontext/InboundError")("InboundError", {
    context: Schema.String,
    key: Schema.String,
    reason: Schema.Literal("size", "encoding", "schema", "ambiguous")
  }))()

const reasons: { readonly [R in Reason]: string } = {
  size: "is longer than the key's maxBytes",
  encoding: "has characters that its header may not have",
  schema: "is not what the key's schema says",
  ambiguous: "was sent more than once"
}

/**
 * A peer sent a value that a key does not take. Where a boundary drops such values nobody sees this error; where it
 * rejects them, the request fails with it. It is a schema, so that it can go back to the peer.
 *
 * @category errors
 * @since 1.0.0
 */
export class InboundError extends InboundErrorBase {
  override get message(): string {
    return `The context "${this.context}" refused what came in for its key ${JSON.stringify(this.key)}: it` +
      ` ${reasons[this.reason]}. Send another value, or receive with { invalid: "drop" }.`
  }
}
