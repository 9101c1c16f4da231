/**
 * Contexts whose keys know where they may go.
 *
 * A schema says what a value is: its type, its default, whether it may be absent. A policy says how it behaves: its name
 * on the wire, who may set it and who is sent it, whether log lines and spans show it, what forks and joins make of it.
 * `aiocontext/Propagation` and the boundaries of `aiocontext/propagation/*` act on that; the context itself is one like
 * any other. In the process nothing is validated: the types did it.
 *
 * @module
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import type * as Context from "./Context.js"
import { DefinitionError } from "./errors.js"
import type { KeyPolicies } from "./internal/map/region.js"
import { check } from "./internal/policy/check.js"
import { forkKeys, joinKeys } from "./internal/policy/family.js"
import * as plans from "./internal/policy/plan.js"
import { annotate, isOptional, type Policy } from "./internal/policy/policy.js"
import { makeTag } from "./internal/region/tag.js"

export { DefinitionError } from "./errors.js"

export type { Policy, Trust } from "./internal/policy/policy.js"

/** @internal named, so that {@link Field} is short */
export type Signature<Type, Encoded> = Schema.PropertySignature<
  Schema.PropertySignature.Token,
  Type,
  PropertyKey,
  Schema.PropertySignature.Token,
  Encoded,
  boolean
>

/**
 * What may be a field of a context: a schema or a property signature, that needs no services.
 *
 * @category models
 * @since 1.0.0
 */
export type Field =
  | Schema.Schema<any, any>
  | Schema.Schema<any, never>
  | Schema.Schema<never, any>
  | Schema.Schema<never>
  | Signature<any, any>
  | Signature<any, never>
  | Signature<never, any>
  | Signature<never, never>

/**
 * The fields of a context.
 *
 * @category models
 * @since 1.0.0
 */
export type Fields = { readonly [key: string]: Field }

/**
 * A context that was made from a schema. What attaches it takes a seed, from which keys that have a default may be
 * left out.
 *
 * @category models
 * @since 1.0.0
 */
export interface TagClass<Self, Id extends string, F extends Fields>
  extends Context.TagClass<Self, Id, Schema.Struct.Type<F>, Schema.Struct.Constructor<F>>
{
  /** The schema of the whole map, for your own use. */
  readonly schema: Schema.Struct<F>
  /** @internal */
  readonly [plans.PlanId]: plans.Plan
}

/**
 * Gives a key a policy. It pipes over a schema, over one that is inside of `Schema.optional` or `Schema.optionalWith`,
 * and over a property signature; of several policies the outermost counts, and whole.
 *
 * @example
 * ```ts
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import { Schema } from "effect"
 *
 * const requestId = Schema.UUID.pipe(ContextSchema.key({ header: "x-request-id", in: "public", out: "public" }))
 * const roles = Schema.optionalWith(
 *   Schema.Array(Schema.String).pipe(ContextSchema.key({ fork: (roles) => roles.filter((role) => role !== "admin") })),
 *   { exact: true }
 * )
 * ```
 *
 * @category constructors
 * @since 1.0.0
 */
export const key = <S extends Schema.Schema.All | Schema.PropertySignature.All>(
  policy: Policy<ReturnType<S[typeof Schema.TypeId]["_A"]>>
) =>
(self: S): S => annotate(self, policy)

/**
 * Defines a context by its fields. The options are those of `Context.Tag`: the context's fork runs first, then the
 * policies of the keys; a key's join goes before that of the context.
 *
 * It throws a {@link DefinitionError}, which names the key and the cure, for a wire name that means something else (as
 * `authorization`), that is no header's, or that two keys have; for a secret with a wire name; for `fork: "drop"` on a
 * key that must be there.
 *
 * To the types, two contexts with the very same fields are one, so that providing one discharges both. Where you have
 * such, give the id as a type too: `ContextSchema.Tag<Request, "app/Request">("app/Request")`.
 *
 * @example
 * ```ts
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import { Effect, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", in: "public" })),
 *   locale: Schema.optionalWith(Schema.Literal("en", "de"), { default: () => "en" as const }).pipe(
 *     ContextSchema.key({ baggage: "locale" })
 *   )
 * }) {}
 *
 * const program = Request.get("locale").pipe(Request.provide({ id: "r-1" }))
 * console.log(Effect.runSync(program)) // => en
 * ```
 *
 * @category constructors
 * @since 1.0.0
 */
export const Tag = <Self = never, const Id extends string = string>(id: Id) =>
<F extends Fields>(
  fields: F,
  options?: Context.Options<Schema.Struct.Type<F>>
): TagClass<Self, Id, F> => {
  check(id, fields)
  const plan = plans.make(id, fields)
  const policies: KeyPolicies = {
    seed: plan.seed,
    forkKeys: forkKeys(plan),
    joinKey: joinKeys(plan, options?.join),
    shown: (where, keys) => plans.shown(plan, where, keys)
  }
  checkFork(plan, options?.fork, policies)
  const required = Object.keys(fields).filter((key) => !isOptional(fields[key]!))
  const tag = makeTag(id, { required, ...options }, policies)
  return Object.assign(tag as TagClass<Self, Id, F>, { [plans.PlanId]: plan, schema: Schema.Struct(fields) })
}

const checkFork = (plan: plans.Plan, fork: Context.Fork | undefined, { forkKeys }: KeyPolicies): void => {
  if (forkKeys !== undefined && (fork === "share" || fork === "chain")) {
    throw new DefinitionError({
      context: plan.context,
      key: Array.from(plan.policies.keys()).find((key) => plan.policies.get(key)?.fork !== undefined) ?? "",
      problem:
        `under "share" and "chain" a child reads its parent's map, so a key cannot fork on its own. Fork the context` +
        ` with "copy".`
    })
  }
}
