import { expect, layer } from "@effect/vitest"
import { compat } from "aiocontext"
import * as BullMQContext from "aiocontext/propagation/BullMQ"
import {
  DelayedError,
  FlowProducer,
  type Job,
  type JobsOptions,
  Queue,
  type Span,
  type Telemetry,
  Worker,
  type WorkerOptions
} from "bullmq"
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { Redis as RedisClient } from "ioredis"
import { plain } from "../support.js"
import { Redis, whereRedis } from "./databases.js"
import { redisContents } from "./queue-stores.js"
import { id, otherId, Request, seed } from "./request.js"

const request = compat.make(Request)

const producer = { id, tenant: "a b", locale: "en", roles: ["x"], token: Redacted.make("s3cret") } as const
const sent = { id, tenant: "a b", locale: "en", roles: ["x"], retries: 0 }
const seeded = { id: otherId, tenant: "none", locale: "en", retries: 0 }
const carrier = { "x-request-id": id, baggage: "tenant=a%20b,locale=en,roles=[%22x%22]" }

const asProducer = <A>(f: () => A): A => request.run(producer, f)

const telemetry = BullMQContext.telemetry(Request, { seed })

interface Seen {
  readonly job: string
  readonly attempt: number
  readonly context: object
}

/** What a processor sees after it waited. */
const look = async ({ attemptsMade, name }: Job): Promise<Seen> => {
  await new Promise((resolve) => setImmediate(resolve))
  return { job: name, attempt: attemptsMade, context: request.toObject() }
}

let queues = 0

/** A queue, and a way to run its jobs until so many were seen. */
const makeQueue = (options?: { readonly producer?: Telemetry | undefined; readonly prefix?: string }) =>
  Effect.gen(function*() {
    const connection = { host: "127.0.0.1", port: yield* Redis }
    const name = `jobs-${queues++}.`
    const closing = <A extends { readonly close: () => Promise<unknown> }>(make: () => A) =>
      Effect.acquireRelease(Effect.sync(make), (made) => Effect.promise(() => made.close()))
    const traced = options && "producer" in options ? options.producer : telemetry
    const queue = yield* closing(() => new Queue(name, { connection, ...traced ? { telemetry: traced } : {} }))
    /** Runs jobs, until a number of them was seen. */
    const work = (
      amount: number,
      process: (job: Job) => Promise<Seen> = look,
      own: Partial<WorkerOptions> = {}
    ): Effect.Effect<ReadonlyArray<Seen>, never, Scope.Scope> =>
      Effect.gen(function*() {
        const seen: Array<Seen> = []
        let done = () => {}
        const all = new Promise<void>((resolve) => {
          done = resolve
        })
        yield* closing(() =>
          new Worker(name, async (job) => {
            seen.push(await process(job))
            if (seen.length >= amount) {
              done()
            }
          }, { connection, telemetry, drainDelay: 1, ...own })
        )
        yield* Effect.promise(() => all)
        return seen.slice(0, amount)
      })
    const contents = Effect.acquireUseRelease(
      Effect.sync(() => new RedisClient(connection)),
      (client) => Effect.promise(() => redisContents(client, name)),
      (client) => Effect.promise(() => client.quit())
    )
    return { closing, connection, contents, name, queue, work }
  })

/** An attempt that fails once, after it wrote into its context. */
const failOnce = async (job: Job): Promise<Seen> => {
  const seen = await look(job)
  request.set("tenant", "written")
  if (job.attemptsMade === 0) {
    throw new Error("once")
  }
  return seen
}

/** Telemetry of another kind, that notes what it is asked for, and has a context of its own. */
const makeInner = (metadata: (context: unknown) => string = (context) => JSON.stringify({ traceparent: context })) => {
  const events: Array<string> = []
  const stack: Array<unknown> = ["root"]
  const span = (name: string, parent: unknown): Span => ({
    setSpanOnContext: (context) => `${name} under ${parent ?? context}`,
    setAttribute: (key) => void events.push(`attribute ${key}`),
    setAttributes: () => void events.push(`attributes of ${name}`),
    addEvent: (event) => void events.push(event),
    recordException: (error) => void events.push(`exception ${(error as Error).message}`),
    end: () => void events.push(`end of ${name}`)
  })
  const inner: Telemetry = {
    tracer: { startSpan: (name, _, parent) => span(name, parent) },
    contextManager: {
      active: () => stack.at(-1),
      with: (context, f) => {
        events.push(`with ${context}`)
        return f()
      },
      getMetadata: metadata,
      fromMetadata: (_, text) => {
        events.push(`from ${text}`)
        return `remote ${text}`
      }
    },
    meter: {
      createCounter: (name) => ({ add: () => void events.push(`count ${name}`) }),
      createHistogram: (name) => ({ record: () => void events.push(`histogram ${name}`) })
    }
  }
  return { events, inner }
}

whereRedis(() =>
  layer(Redis.layer, { excludeTestServices: true, timeout: "60 seconds" })("a job of BullMQ", (it) => {
    const ways: Record<string, (queue: Queue) => Promise<unknown>> = {
      "that is added": (queue) => queue.add("job", {}),
      "that is added in bulk": (queue) => queue.addBulk([{ name: "job", data: {} }]),
      "that is delayed": (queue) => queue.add("job", {}, { delay: 20 }),
      "with a priority": (queue) => queue.add("job", {}, { priority: 2 })
    }
    for (const [way, add] of Object.entries(ways)) {
      it.scoped(`${way} sees its producer's keys, and not the worker's`, () =>
        Effect.gen(function*() {
          const { queue, work } = yield* makeQueue()
          yield* Effect.promise(() => asProducer(() => add(queue)))
          const working = work(1).pipe(Effect.provide(compat.layer), Request.provide({ ...producer, tenant: "worker" }))
          expect(yield* working).toEqual([{ job: "job", attempt: 0, context: sent }])
        }))
    }

    it.scoped("of an effect sees its keys, and runs effects with them", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue()
        yield* Effect.promise(() => queue.add("job", {})).pipe(Request.provide(producer), Effect.provide(compat.layer))
        const inEffect = async ({ attemptsMade, name }: Job) => ({
          job: name,
          attempt: attemptsMade,
          context: plain(await compat.runPromise(Request.data))
        })
        expect(yield* work(1, inEffect)).toEqual([{ job: "job", attempt: 0, context: sent }])
      }))

    for (const [kind, backoff] of [["at once", 0], ["later", 20]] as const) {
      it.scoped(`that is retried ${kind} sees its producer's context again, whatever it wrote`, () =>
        Effect.gen(function*() {
          const { queue, work } = yield* makeQueue()
          yield* Effect.promise(() => asProducer(() => queue.add("job", {}, { attempts: 2, backoff })))
          expect(yield* work(1, failOnce)).toEqual([{ job: "job", attempt: 1, context: sent }])
        }))
    }

    it.scoped("of a scheduler sees the keys of whoever made the scheduler, at each run", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue()
        yield* Effect.promise(() => asProducer(() => queue.upsertJobScheduler("s", { every: 20 }, { name: "tick" })))
        const writing = async (job: Job) => {
          const seen = await look(job)
          request.set("tenant", "written")
          return seen
        }
        expect(yield* work(3, writing)).toEqual([1, 2, 3].map(() => ({ job: "tick", attempt: 0, context: sent })))
      }))

    for (
      const [release, traced] of [["with the telemetry", telemetry], ["of a release before it", undefined]] as const
    ) {
      it.scoped(`of a scheduler that a producer ${release} made outside every context has a fresh seed at each run`, () =>
        Effect.gen(function*() {
          const { closing, connection, name, queue, work } = yield* makeQueue({ producer: traced })
          const other = yield* closing(() => new Queue(name, { connection, telemetry }))
          yield* Effect.promise(() => queue.upsertJobScheduler("s", { every: 20 }, { name: "tick" }))
          const seen: Array<Seen> = []
          // jobs of a tenant in between, after which the worker adds the scheduler's next run
          const process = async (job: Job): Promise<Seen> => {
            const found = await look(job)
            if (job.name === "tick") {
              seen.push(found)
              await asProducer(() => other.addBulk([1, 2, 3].map(() => ({ name: "job", data: {} }))))
              await new Promise((resolve) => setTimeout(resolve, 25))
            }
            return found
          }
          const all = yield* work(13, process)
          expect(all.filter(({ job }) => job === "job").map(({ context }) => context)).toContainEqual(sent)
          expect(seen.length).toBeGreaterThan(2)
          expect(seen.map(({ context }) => context)).toEqual(seen.map(() => seeded))
        }))
    }

    it.scoped("of a flow sees the keys of who added the flow, children and parent", () =>
      Effect.gen(function*() {
        const { closing, connection, name, work } = yield* makeQueue()
        const flows = yield* closing(() => new FlowProducer({ connection, telemetry }))
        // BullMQ asks for the metadata of a node that has options only
        const children = [{ name: "child", queueName: name, opts: {} }]
        yield* Effect.promise(() =>
          asProducer(() => flows.add({ name: "parent", queueName: name, opts: {}, children }))
        )
        expect((yield* work(2)).map(({ context, job }) => [job, context])).toEqual([["child", sent], ["parent", sent]])
      }))

    it.scoped("that a job adds sees what that job had then", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue()
        yield* Effect.promise(() => asProducer(() => queue.add("first", {})))
        const process = async (job: Job) => {
          const seen = await look(job)
          if (job.name === "first") {
            request.set("tenant", "written")
            await queue.add("second", {})
          }
          return seen
        }
        expect((yield* work(2, process)).map(({ context }) => context)).toEqual([sent, { ...sent, tenant: "written" }])
      }))

    const bare: Record<string, JobsOptions> = {
      "of an older release": {},
      "with `omitContext`": { telemetry: { omitContext: true } },
      "with metadata that is no JSON": { telemetry: { metadata: "no JSON" } },
      "with metadata of other telemetry": {
        telemetry: { metadata: JSON.stringify({ traceparent: "00", baggage: "tenant=evil" }) }
      },
      "with metadata of a wrong type": { telemetry: { metadata: 5 as never } },
      ...Object.fromEntries(
        ([
          ["null", null],
          ["a number", 5],
          ["a list", [null, null]],
          ["an empty list", []],
          ["unknown keys", { "x-user": "root", baggage: "unknown=1" }],
          ["wrong types", { "x-request-id": 5, baggage: { tenant: "evil" } }],
          ["texts that are too long", { "x-request-id": id.repeat(100), baggage: `tenant=${"x".repeat(2000)}` }],
          ["what an older schema took", { "x-request-id": "1", baggage: "tenant=,locale=fr,roles=no" }]
        ] as const).map(([what, carrier]) => [
          `with a carrier that has ${what}`,
          { telemetry: { metadata: JSON.stringify({ "~aiocontext": carrier }) } }
        ])
      )
    }
    it.scoped("without a carrier, or with one that is not taken, has a fresh seed, and runs", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue({ producer: undefined })
        const jobs = Object.entries(bare).map(([name, opts]) => ({ name, data: {}, opts }))
        yield* Effect.promise(() => asProducer(() => queue.addBulk(jobs)))
        expect(yield* work(jobs.length)).toEqual(jobs.map(({ name }) => ({ job: name, attempt: 0, context: seeded })))
        expect(yield* Effect.promise(() => queue.getJobCounts("failed", "delayed"))).toEqual({ failed: 0, delayed: 0 })
      }))

    it.scoped("stores what `keys` says: no secret, and no key that is not listed", () =>
      Effect.gen(function*() {
        const narrow = BullMQContext.telemetry(Request, { seed, keys: ["id", "token"] })
        const { contents, queue, work } = yield* makeQueue({ producer: narrow })
        const check = Effect.map(contents, (text) => {
          expect(text).toContain(JSON.stringify({ "~aiocontext": { "x-request-id": id } }).replaceAll(`"`, `\\"`))
          expect(text).not.toMatch(/s3cret|tenant|locale|roles/)
        })
        yield* Effect.promise(() =>
          asProducer(async () => {
            await queue.add("job", {}, { attempts: 2 })
            await queue.upsertJobScheduler("s", { every: 3_600_000 }, { name: "tick" })
          })
        )
        yield* check
        yield* work(1, failOnce, { telemetry: narrow })
        yield* check
      }))

    it.scoped("is read by workers without the telemetry, and by those with another one alone", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue({
          producer: BullMQContext.telemetry(Request, { seed, inner: makeInner().inner })
        })
        yield* Effect.promise(() =>
          asProducer(() => queue.addBulk([{ name: "one", data: {} }, { name: "two", data: {} }]))
        )
        const blind = async ({ attemptsMade, name }: Job) => ({
          job: name,
          attempt: attemptsMade,
          context: { at: request.attached }
        })
        const { events, inner } = makeInner()
        expect(yield* work(2, blind, { telemetry: inner })).toEqual(
          ["one", "two"].map((job) => ({ job, attempt: 0, context: { at: false } }))
        )
        // its own part is where it always was
        const from = events.filter((event) => event.startsWith("from")).map((event) =>
          JSON.parse(event.slice("from ".length))
        )
        expect(from[0]).toEqual({ traceparent: `addBulk ${queue.name} under root`, "~aiocontext": carrier })
      }))

    for (
      const [form, metadata, isSame] of [
        ["an object", undefined, false],
        ["a text", (context: unknown) => `<${context}>`, true],
        ["a list", (context: unknown) => JSON.stringify([context]), true]
      ] as const
    ) {
      it.scoped(`hands inner telemetry, whose metadata is ${form}, what is its own`, () =>
        Effect.gen(function*() {
          const out = makeInner(metadata)
          const back = makeInner(metadata)
          const both = BullMQContext.telemetry(Request, { seed, inner: out.inner })
          const { queue, work } = yield* makeQueue({ producer: both })
          yield* Effect.promise(() => asProducer(() => queue.add("job", {}, { attempts: 2 })))
          const span = `add ${queue.name}.job under root`
          expect(out.events).toEqual([
            expect.stringMatching(/^attributes of add/),
            `with ${span}`,
            expect.stringMatching(/^attributes of add/),
            expect.stringMatching(/^end of add/)
          ])
          const worker = BullMQContext.telemetry(Request, { seed, inner: back.inner })
          expect(yield* work(1, failOnce, { telemetry: worker })).toEqual([{ job: "job", attempt: 1, context: sent }])
          const own = isSame ? metadata!(span) : JSON.stringify({ traceparent: span })
          expect(back.events).toContain(`from ${own}`)
          expect(back.events).toContain(`with process ${queue.name} under remote ${own}`)
          expect(back.events).toContain("count bullmq.jobs.retried")
          expect(back.events).toContain("job failed")
        }))
    }

    it.scoped("of a producer without inner telemetry has no parent in the worker's", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue()
        yield* Effect.promise(() => asProducer(() => queue.add("job", {})))
        const { events, inner } = makeInner()
        const worker = BullMQContext.telemetry(Request, { seed, inner })
        expect(yield* work(1, look, { telemetry: worker })).toEqual([{ job: "job", attempt: 0, context: sent }])
        expect(events).toContain(`with process ${queue.name} under root`)
        expect(events.filter((event) => event.startsWith("from"))).toEqual([])
      }))

    it.scoped("that moves itself to later keeps its context", () =>
      Effect.gen(function*() {
        const { queue, work } = yield* makeQueue()
        yield* Effect.promise(() => asProducer(() => queue.add("job", { moved: false })))
        const process = async (job: Job) => {
          const seen = await look(job)
          if (!job.data.moved) {
            request.set("tenant", "written")
            await job.updateData({ moved: true })
            await job.moveToDelayed(Date.now() + 20, job.token)
            throw new DelayedError()
          }
          return seen
        }
        expect((yield* work(1, process))[0]!.context).toEqual(sent)
      }))
  })
)
