/**
 * What the library knows of a context that was made from a schema: the policy of each key, and how it travels.
 */
import type * as Schema from "effect/Schema"
import * as codecs from "./codec.js"
import { type AnyPolicy, type Field, policyOf, type Trust } from "./policy.js"

/** The fields of a context. */
export type Fields = { readonly [key: string]: Field }

/** A key that has a name on the wire. */
export interface WireKey {
  readonly key: string
  readonly header: boolean
  readonly name: string
  readonly in: Trust | false
  readonly out: Trust | false
  readonly maxBytes: number
  /** Made when it is first needed. */
  readonly codec: () => codecs.Codec
}

/** A context's keys, and those of them that travel. */
export interface Plan {
  readonly context: string
  readonly policies: ReadonlyMap<string, AnyPolicy>
  readonly wire: ReadonlyArray<WireKey>
}

/** The key of the tag's member that holds its {@link Plan}. */
export const PlanId: unique symbol = Symbol.for("aiocontext/ContextSchema/plan")

/** A context tag: with a plan, if it was made from a schema. */
export interface Planned {
  readonly key: string
  readonly [PlanId]?: Plan
  readonly schema?: Schema.Schema.Any
}

/** The plan of a context tag. One that was not made from a schema has no policies, and never travels. */
export const planOf = (tag: Planned): Plan => tag[PlanId] ?? { context: tag.key, policies: new Map(), wire: [] }

const lazily = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}

const wireKeys = (key: string, field: Field, policy: AnyPolicy): ReadonlyArray<WireKey> => {
  const name = policy.header ?? policy.baggage
  const header = policy.header !== undefined
  return name === undefined ? [] : [{
    key,
    header,
    name,
    in: policy.in ?? "trusted",
    out: policy.out ?? "trusted",
    maxBytes: policy.maxBytes ?? (header ? 256 : 1024),
    codec: lazily(() => codecs.make(key, field))
  }]
}

/** Makes the plan of a context. */
export const make = (context: string, fields: Fields): Plan => {
  const policies = new Map(Object.entries(fields).map(([key, field]) => [key, policyOf(field)]))
  return {
    context,
    policies,
    wire: Object.entries(fields).flatMap(([key, field]) => wireKeys(key, field, policies.get(key)!))
  }
}

/** Whether what a policy allows, a peer may have. */
export const allows = (level: Trust | false, peer: Trust): boolean =>
  level === "public" || (level === "trusted" && peer === "trusted")
