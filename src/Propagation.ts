/**
 * A context's entries across process boundaries, by hand: what `aiocontext/propagation/*` does for HTTP and its like.
 *
 * - **Carrier.** A record of lower-case names to texts: one for each key with a `header`, and `baggage` for all keys with a
 *   `baggage` name together. Any transport can take it.
 * - **The law.** What is encoded decodes to the same value; what cannot be carried is left out, never cut.
 * - **Trust.** A `"public"` peer can set, and is sent, only keys whose policy says `"public"`. The default here is
 *   `"trusted"`, for carriers of your own.
 * - **Invalid input.** With `invalid: "drop"`, the default, it is as if the key had not been sent; it is counted in the
 *   metric `aiocontext_inbound_dropped`, with a debug line. With `"reject"` it fails. No error or line has the value.
 *
 * A context of `Context.Tag` has no policies, and never travels. To go on with a trace over a transport that Effect does
 * not trace, spread `HttpTraceContext.toHeaders(span)` of `@effect/platform` beside the carrier.
 *
 * @module
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type * as Context from "./Context.js"
import * as carriers from "./internal/policy/carrier.js"
import { drop } from "./internal/policy/inbound.js"
import { planOf } from "./internal/policy/plan.js"
import type { Trust } from "./internal/policy/policy.js"
import type { InboundError } from "./reach-errors.js"

export { InboundError } from "./reach-errors.js"

export type { Trust } from "./internal/policy/policy.js"

/**
 * Entries on the wire: texts under lower-case names.
 *
 * @category models
 * @since 1.0.0
 */
export type Carrier = { readonly [name: string]: string }

/**
 * What is read as a carrier: any record, `Headers` of fetch or of Effect, the headers of a Node request. Only its own
 * texts count, and the names of the context's keys. Several values of one name are `"ambiguous"` for a `header`, and one
 * list for `baggage`.
 *
 * @category models
 * @since 1.0.0
 */
export type Source = { readonly [name: string]: unknown } | {
  /** The value of a name, as `Headers` of `fetch` gives it. */
  readonly get: (name: string) => string | null
}

/**
 * Whom one talks to.
 *
 * @category options
 * @since 1.0.0
 */
export interface Options {
  /** Default: `"trusted"`. */
  readonly trust?: Trust
}

/**
 * Whom one listens to, and what becomes of values that a key does not take.
 *
 * @category options
 * @since 1.0.0
 */
export interface InboundOptions<Invalid extends "drop" | "reject"> extends Options {
  /** Default: `"drop"`. */
  readonly invalid?: Invalid
}

/** The error of input that is rejected. */
type Rejection<Invalid> = "reject" extends Invalid ? InboundError : never

// -----------------------------------------------------------------------------------------------------------------
// out
// -----------------------------------------------------------------------------------------------------------------

/**
 * A carrier with these entries, for promise code. Never throws.
 *
 * @category encoding
 * @since 1.0.0
 */
export const encode = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  entries: NoInfer<Partial<Shape>>,
  options?: Options
): Carrier =>
  carriers.write(
    planOf(tag),
    (key) => Object.hasOwn(entries, key) ? entries[key as keyof Shape] : undefined,
    options?.trust ?? "trusted"
  )

/**
 * A carrier with the context's entries as they are now.
 *
 * @example
 * ```ts
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as Propagation from "aiocontext/Propagation"
 * import { Effect, Schema } from "effect"
 *
 * class Request extends ContextSchema.Tag<Request>("app/Request")({
 *   id: Schema.String.pipe(ContextSchema.key({ header: "x-request-id", out: "public" })),
 *   tenant: Schema.String.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const program = Effect.gen(function*() {
 *   console.log(yield* Propagation.inject(Request)) // => { 'x-request-id': 'r-1', baggage: 'tenant=a%20b' }
 *   console.log(yield* Propagation.inject(Request, { trust: "public" })) // => { 'x-request-id': 'r-1' }
 * })
 *
 * await Effect.runPromise(program.pipe(Request.provide({ id: "r-1", tenant: "a b" })))
 * ```
 *
 * @category encoding
 * @since 1.0.0
 */
export const inject = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  options?: Options
): Effect.Effect<Carrier, never, Self> =>
  Effect.map(tag.data, (entries) =>
    carriers.write(
      planOf(tag),
      (key) => Option.getOrUndefined(HashMap.get(entries, key)),
      options?.trust ?? "trusted"
    ))

// -----------------------------------------------------------------------------------------------------------------
// in
// -----------------------------------------------------------------------------------------------------------------

/**
 * The entries of a carrier, and what was refused, for promise code. Never throws.
 *
 * @category decoding
 * @since 1.0.0
 */
export const decode = <Self, Id extends string, Shape, Seed>(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  carrier: Source,
  options?: Options
): { readonly entries: Partial<Shape>; readonly errors: ReadonlyArray<InboundError> } =>
  // the schemas made the entries
  carriers.read(planOf(tag), carrier, options?.trust ?? "trusted") as {
    readonly entries: Partial<Shape>
    readonly errors: ReadonlyArray<InboundError>
  }

/**
 * The entries of a carrier. Fails only with `invalid: "reject"`, with the first {@link InboundError}.
 *
 * @category decoding
 * @since 1.0.0
 */
export const extract = <Self, Id extends string, Shape, Seed, Invalid extends "drop" | "reject" = "drop">(
  tag: Context.TagClass<Self, Id, Shape, Seed>,
  carrier: Source,
  options?: InboundOptions<Invalid>
): Effect.Effect<Partial<Shape>, Rejection<Invalid>> =>
  Effect.suspend(() => {
    const { entries, errors } = decode(tag, carrier, options)
    const [error] = errors
    return error === undefined
      ? Effect.succeed(entries)
      : options?.invalid === "reject"
      ? Effect.fail(error as Rejection<Invalid>)
      : Effect.as(drop(errors), entries)
  })

/**
 * Attaches the context to an effect, seeded from a carrier: `seed` gets what came in, and gives the whole seed or an
 * effect of it.
 *
 * @example
 * ```ts
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as Propagation from "aiocontext/Propagation"
 * import { Effect, Schema } from "effect"
 *
 * class Job extends ContextSchema.Tag<Job>("app/Job")({
 *   tenant: Schema.NonEmptyString.pipe(ContextSchema.key({ baggage: "tenant" }))
 * }) {}
 *
 * const work = (carrier: Propagation.Carrier) =>
 *   Job.get("tenant").pipe(Propagation.restore(Job, carrier, (got) => ({ tenant: "none", ...got })))
 *
 * console.log(await Effect.runPromise(work({ baggage: "tenant=acme" }))) // => acme
 * console.log(await Effect.runPromise(work({ baggage: "tenant=" }))) // => none
 * ```
 *
 * @category decoding
 * @since 1.0.0
 */
export const restore =
  <Self, Id extends string, Shape, Seed, E2 = never, R2 = never, Invalid extends "drop" | "reject" = "drop">(
    tag: Context.TagClass<Self, Id, Shape, Seed>,
    carrier: Source,
    seed: (got: Partial<Shape>) => NoInfer<Seed> | Effect.Effect<NoInfer<Seed>, E2, R2>,
    options?: InboundOptions<Invalid>
  ): <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | E2 | Rejection<Invalid>, Exclude<R, Self> | R2> =>
  (effect) =>
    extract(tag, carrier, options).pipe(
      Effect.flatMap((got) => {
        const seeded = seed(got)
        return Effect.isEffect(seeded) ? seeded : Effect.succeed(seeded)
      }),
      Effect.flatMap((seeded) => tag.provide(seeded)(effect))
    )

// -----------------------------------------------------------------------------------------------------------------
// environment variables
// -----------------------------------------------------------------------------------------------------------------

const variable = (name: string): string => name.toUpperCase().replaceAll("-", "_")

/**
 * A carrier as environment variables, for a child process: `x-request-id` is `X_REQUEST_ID`, `baggage` is `BAGGAGE`.
 *
 * @category encoding
 * @since 1.0.0
 */
export const toEnv = (carrier: Carrier): { readonly [variable: string]: string } =>
  Object.fromEntries(Object.entries(carrier).map(([name, text]) => [variable(name), text]))

/**
 * The carrier that {@link toEnv} wrote: the variables of this context, and no others.
 *
 * @example
 * ```ts
 * import * as ContextSchema from "aiocontext/ContextSchema"
 * import * as Propagation from "aiocontext/Propagation"
 * import { Schema } from "effect"
 *
 * class Job extends ContextSchema.Tag<Job>("app/Job")({
 *   id: Schema.String.pipe(ContextSchema.key({ header: "x-job-id" }))
 * }) {}
 *
 * const env = { HOME: "/", ...Propagation.toEnv(Propagation.encode(Job, { id: "j-1" })) }
 * console.log(env) // => { HOME: '/', X_JOB_ID: 'j-1' }
 * console.log(Propagation.fromEnv(Job, env)) // => { 'x-job-id': 'j-1' }
 * ```
 *
 * @category decoding
 * @since 1.0.0
 */
export const fromEnv = (
  tag: { readonly key: string },
  env: { readonly [variable: string]: string | undefined }
): Carrier =>
  Object.fromEntries(
    carriers.namesOf(planOf(tag)).flatMap((name) => {
      const text = env[variable(name)]
      return typeof text === "string" ? [[name, text]] : []
    })
  )
