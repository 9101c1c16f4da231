import { PersistedQueue } from "@effect/experimental"
import { expect, layer } from "@effect/vitest"
import type { Context } from "aiocontext"
import * as QueueContext from "aiocontext/propagation/Queue"
import { Effect, Exit, Layer, Redacted, Schema, Tracer } from "effect"
import { plain } from "../support.js"
import { Contents, stores } from "./queue-stores.js"
import { id, otherId, Request, seed } from "./request.js"

const producer = { id, tenant: "a b", roles: ["x"], token: Redacted.make("s3cret") }
const consumer = { id: "00000000-0000-4000-8000-000000000000", tenant: "consumer", locale: "de", retries: 9 } as const
const carrier = { "x-request-id": id, baggage: "tenant=a%20b,locale=en,roles=[%22x%22]" }

/** What a handler sees of what the producer had. */
const sent = { id, tenant: "a b", locale: "en", roles: ["x"], retries: 0 }
/** What it sees where nothing came. */
const seeded = { id: otherId, tenant: "none", locale: "en", retries: 0 }

const Mail = Schema.Struct({ to: Schema.String, at: Schema.DateFromString })
const mail = { to: "ann", at: new Date(0) }
const encodedMail = { to: "ann", at: "1970-01-01T00:00:00.000Z" }

let queues = 0
const nameOfQueue = () => `queue-${queues++}.`

type SeedOf<T> = T extends Context.TagClass<any, any, any, infer Seed> ? Seed : never

/** The queue of a release with the library. */
const decorated = <A, I>(
  name: string,
  schema: Schema.Schema<A, I>,
  options: Partial<QueueContext.Options<typeof Request.schema.Type, SeedOf<typeof Request>>> = {}
) =>
  PersistedQueue.make({ name, schema }).pipe(
    Effect.provide(QueueContext.layer(Request, { seed, ...options }).pipe(Layer.provide(PersistedQueue.layer)))
  )

/** The queue of a release before it. */
const bare = <A, I>(name: string, schema: Schema.Schema<A, I>) =>
  PersistedQueue.make({ name, schema }).pipe(Effect.provide(PersistedQueue.layer))

/** What a handler sees: its element, how often it was tried, and the context. */
const look = <A>(value: A, { attempts }: { readonly attempts: number }) =>
  Effect.map(Request.data, (data) => ({ value, attempts, context: plain(data) }))

const asProducer = Request.provide(producer)
const asConsumer = Request.provide(consumer)

for (const [store, { layer: storeLayer, where }] of Object.entries(stores)) {
  where(() =>
    layer(storeLayer, { excludeTestServices: true, timeout: "60 seconds" })(`a queue in ${store}`, (it) => {
      it.effect("runs an element with its producer's keys, and without the consumer's", () =>
        Effect.gen(function*() {
          const queue = yield* decorated(nameOfQueue(), Mail)
          yield* asProducer(queue.offer(mail))
          expect(yield* asConsumer(queue.take(look))).toEqual({ value: mail, attempts: 0, context: sent })
          expect(yield* Effect.map(Request.data, plain).pipe(asConsumer)).toEqual(consumer)
        }))

      it.effect("shows retries the producer's context again, whatever the handler wrote", () =>
        Effect.gen(function*() {
          const queue = yield* decorated(nameOfQueue(), Mail)
          yield* asProducer(queue.offer(mail))
          for (const attempts of [0, 1]) {
            const failing = queue.take((value, metadata) =>
              look(value, metadata).pipe(
                Effect.tap(Request.set("tenant", "written")),
                Effect.tap(Request.delete("roles")),
                Effect.flatMap(Effect.fail)
              )
            )
            expect(yield* Effect.flip(asConsumer(failing))).toEqual({ value: mail, attempts, context: sent })
          }
          expect(yield* asConsumer(queue.take(look))).toEqual({ value: mail, attempts: 2, context: sent })
        }))

      it.effect("has the carrier inside of an encoded object, where older consumers read on", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const queue = yield* decorated(name, Mail)
          yield* asProducer(queue.offer(mail))
          yield* asProducer(queue.offer(mail))
          const stored = yield* bare(name, Schema.Unknown)
          expect(yield* stored.take(Effect.succeed)).toEqual({ ...encodedMail, "~aiocontext": carrier })
          const older = yield* bare(name, Mail)
          expect(yield* older.take(Effect.succeed)).toEqual(mail)
        }))

      it.effect("takes an older element as one without a carrier", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const older = yield* bare(name, Mail)
          yield* older.offer(mail)
          const queue = yield* decorated(name, Mail)
          expect(yield* asConsumer(queue.take(look))).toEqual({ value: mail, attempts: 0, context: seeded })
        }))

      it.effect("stores what `keys` says: no secret, and no key that is not listed", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const queue = yield* decorated(name, Mail, { keys: ["id", "token"] })
          const unique = {
            ...producer,
            id: "5b2f4bb8-5f7e-4a3e-8d84-9d2a6d0c7a11",
            tenant: "unlisted",
            locale: "de"
          } as const
          const check = Effect.gen(function*() {
            const contents = yield* (yield* Contents)(name)
            expect(contents).toContain(`"~aiocontext":{"x-request-id":"${unique.id}"}`)
            expect(contents).not.toMatch(/s3cret|unlisted|locale=de/)
          })
          yield* queue.offer(mail).pipe(Request.provide(unique))
          yield* check
          // while it is taken, and with the reason of a failure beside it
          expect(yield* Effect.exit(queue.take(() => Effect.zipRight(check, Effect.fail("no"))))).toEqual(
            Exit.fail("no")
          )
          yield* check
          const { context } = yield* queue.take(look).pipe(asConsumer)
          expect(context).toEqual({ ...seeded, id: unique.id })
        }))

      it.effect("carries `traceparent` with `trace`, and runs the element as a child of that span", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const queue = yield* decorated(name, Mail, { trace: true })
          const offer = (parent?: Tracer.AnySpan) =>
            queue.offer(mail).pipe(parent ? Effect.withParentSpan(parent) : (offer) => offer)
          const span = yield* Effect.makeSpan("producer")
          yield* offer(span)
          const inHandler = () =>
            Effect.currentParentSpan.pipe(Effect.map(({ sampled, spanId, traceId }) => ({ sampled, spanId, traceId })))
          const consumed = Effect.withSpan("consumer")
          for (const end of [Effect.fail, Effect.succeed]) {
            const exit = yield* Effect.exit(
              queue.take(() => Effect.flatMap(inHandler(), end)).pipe(asConsumer, consumed)
            )
            expect(exit).toEqual(
              Effect.runSyncExit(end({ sampled: true, spanId: span.spanId, traceId: span.traceId }))
            )
          }
          // a span of another process, that this one was called by
          yield* offer(
            Tracer.externalSpan({ traceId: "0".repeat(31) + "1", spanId: "0".repeat(15) + "1", sampled: false })
          )
          const raw = yield* bare(name, Schema.Unknown)
          expect(yield* raw.take(Effect.succeed)).toEqual({
            ...encodedMail,
            "~aiocontext": { traceparent: `00-${"0".repeat(31)}1-${"0".repeat(15)}1-00` }
          })
        }))

      it.effect("fails elements that do not decode as the bare queue does, without the carrier in what it says", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const queue = yield* decorated(name, Mail)
          const raw = yield* bare(name, Schema.Unknown)
          yield* raw.offer({ to: 1, "~aiocontext": carrier })
          const error = yield* Effect.flip(asConsumer(queue.take(look)))
          expect(error).toMatchObject({ _tag: "ParseError" })
          expect(`${error}`).not.toContain(id)
          expect(yield* raw.take((_, { attempts }) => Effect.succeed(attempts))).toBe(1)
          expect(yield* Effect.flip(queue.offer({ ...mail, to: 1 as never }))).toMatchObject({
            _tag: "ParseError"
          })
        }))

      it.effect("keeps ids: an element with the id of another is not added", () =>
        Effect.gen(function*() {
          const name = nameOfQueue()
          const queue = yield* decorated(name, Mail)
          for (const to of ["ann", "bob"]) {
            expect(yield* asProducer(queue.offer({ ...mail, to }, { id: `own-${name}` }))).toBe(`own-${name}`)
          }
          yield* asProducer(queue.offer({ ...mail, to: "eve" }, { id: `other-${name}` }))
          const take = asConsumer(queue.take(({ to }, { id }) => Effect.succeed([to, id])))
          expect([yield* take, yield* take]).toEqual([["ann", `own-${name}`], ["eve", `other-${name}`]])
        }))
    })
  )
}
