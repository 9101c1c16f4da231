/**
 * What the library knows of a context that was made from a schema: the policy of each key, and how it travels.
 */
import * as Schema from "effect/Schema"
import type { Shown } from "../map/region.js"
import * as codecs from "./codec.js"
import { type AnyPolicy, type Field, hasDefault, policyOf, type Trust } from "./policy.js"
import { isSecret } from "./secret.js"

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
  /** The keys that are shown nowhere. */
  readonly secrets: ReadonlySet<string>
  /** A seed with the defaults of what it leaves out; `undefined` where no key has one. */
  readonly seed: ((entries: object) => object) | undefined
}

/** The key of the tag's member that holds its {@link Plan}. */
export const PlanId: unique symbol = Symbol.for("aiocontext/ContextSchema/plan")

/** A context tag: with a plan, if it was made from a schema. */
export interface Planned {
  readonly key: string
  readonly [PlanId]?: Plan
}

/** The plan of a context tag. One that was not made from a schema has no policies, and never travels. */
export const planOf = (tag: { readonly key: string }): Plan => (tag as Planned)[PlanId] ?? make(tag.key, {})

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

const seeding = (fields: Fields): Plan["seed"] => {
  const schema = Schema.Struct(fields) as unknown as Schema.Struct<{}>
  return Object.values(fields).some(hasDefault)
    ? (entries) => schema.make(entries, { disableValidation: true })
    : undefined
}

/** Makes the plan of a context. */
export const make = (context: string, fields: Fields): Plan => {
  const all = Object.entries(fields).map(([key, field]) => ({ key, field, policy: policyOf(field) }))
  return {
    context,
    policies: new Map(all.map(({ key, policy }) => [key, policy])),
    wire: all.flatMap(({ field, key, policy }) => wireKeys(key, field, policy)),
    secrets: new Set(all.filter(({ field, policy }) => isSecret(field, policy)).map(({ key }) => key)),
    seed: seeding(fields)
  }
}

/** The plan with only these of its keys on the wire; as it is where none are named. */
export const only = (plan: Plan, keys: ReadonlyArray<string> | undefined): Plan =>
  keys ? { ...plan, wire: plan.wire.filter(({ key }) => keys.includes(key)) } : plan

/**
 * The keys that log lines or spans carry, each with its name there: those of `keys`, else those whose policy says so. A
 * secret is never among them.
 */
export const shown = (
  { policies, secrets }: Plan,
  where: "log" | "span",
  keys: Iterable<string> = Array.from(policies.keys()).filter((key) => policies.get(key)?.[where])
): ReadonlyArray<Shown> =>
  Array.from(keys).filter((key) => !secrets.has(key)).map((key) => {
    const name = policies.get(key)?.[where]
    return { key, name: typeof name === "string" ? name : key }
  })

/** Whether what a policy allows, a peer may have. */
export const allows = (level: Trust | false, peer: Trust): boolean =>
  level === "public" || (level === "trusted" && peer === "trusted")
