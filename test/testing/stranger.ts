/**
 * Six handlers that leak, and six that look like them and keep their requests apart: batchers, pools, caches, timers, a bus
 * and a worker, with the state that such code keeps in an app. They were written from the guide, by somebody who had not
 * read the kit.
 */
import { compat, Context } from "aiocontext"
import { perRun } from "aiocontext/testing"
import type { DefaultValues, Subject } from "aiocontext/testing"
import { Cache, Deferred, Effect, Queue } from "effect"
import { EventEmitter, once } from "node:events"
import { setTimeout as delay } from "node:timers/promises"

/** What each request of these handlers has. */
export class Request extends Context.Tag("stranger/Request")<Request, DefaultValues>() {}

const request = compat.make(Request)

type Handler = Subject<DefaultValues, Request>

/** A database that answers a batch of keys, in their order. */
const rowsOf = async (users: ReadonlyArray<string>) => {
  await delay(3)
  return users.map((user) => `row of ${user}`)
}

interface Caller {
  readonly user: string
  readonly answer: (row: string | undefined) => void
}

/** The rows go to who waits when they come, who need not be who waited when they were asked for. */
const batcherThatForgetsWhoAsked = () => {
  let waiting: Array<Caller> = []
  const send = async () => {
    const rows = await rowsOf(waiting.map(({ user }) => user))
    const callers = waiting
    waiting = []
    callers.forEach(({ answer }, index) => answer(rows[index]))
  }
  return async () => {
    await delay(1)
    const row = new Promise<string | undefined>((answer) => waiting.push({ user: request.get("user"), answer }))
    void send()
    return await row
  }
}

const batcher = () => {
  let waiting: Array<Caller> = []
  const send = async () => {
    const callers = waiting
    waiting = []
    const rows = await rowsOf(callers.map(({ user }) => user))
    callers.forEach(({ answer }, index) => answer(rows[index]))
  }
  return async () => {
    await delay(1)
    const row = new Promise<string | undefined>((answer) => waiting.push({ user: request.get("user"), answer }))
    if (waiting.length === 1) {
      setTimeout(send, 2)
    }
    return await row
  }
}

/** Who gives up gives the buffer back, and the read that was started writes into it later. */
const bufferGivenBackTooEarly = () => {
  const free = Array.from({ length: 3 }, () => ({ text: "" }))
  const turn = Effect.unsafeMakeSemaphore(free.length)
  const read = async (buffer: { text: string }, user: string, index: number) => {
    await delay(index % 4 === 0 ? 7 : 2)
    buffer.text = `file of ${user}`
  }
  return ({ index }: { readonly index: number }) =>
    Effect.gen(function*() {
      const buffer = free.pop()!
      buffer.text = ""
      const user = yield* Request.get("user")
      const reading = Effect.timeoutOption(Effect.promise(() => read(buffer, user, index)), "5 millis")
      const text = Effect.map(Effect.delay(reading, "1 millis"), () => buffer.text)
      return yield* Effect.ensuring(text, Effect.sync(() => free.push(buffer)))
    }).pipe(turn.withPermits(1))
}

/** Each buffer is one request's at a time, and nothing writes into it after that. */
const buffers = () => {
  const free = Array.from({ length: 3 }, () => ({ text: "" }))
  const turn = Effect.unsafeMakeSemaphore(free.length)
  return () =>
    Effect.acquireUseRelease(
      Effect.sync(() => free.pop()!),
      (buffer) =>
        Effect.gen(function*() {
          buffer.text = `file of ${yield* Request.get("user")}`
          yield* Effect.sleep("3 millis")
          return buffer.text
        }),
      (buffer) =>
        Effect.sync(() => {
          buffer.text = ""
          free.push(buffer)
        })
    ).pipe(turn.withPermits(1))
}

/** The key is the path, and what is kept is the page of the first who came. */
const cacheByPath = () => {
  const cache = Effect.runSync(Cache.make({
    capacity: 100,
    timeToLive: "2 millis",
    lookup: (path: string) =>
      Effect.promise(async () => {
        await delay(1)
        return `${path} for ${request.get("user")}`
      })
  }))
  return ({ index }: { readonly index: number }) => Effect.delay(cache.get("/me"), `${index} millis`)
}

/** The same cache, with the user in its key; and one more for what all users share. */
const cacheByUser = () => {
  const make = <A>(lookup: (key: string) => Effect.Effect<A>) =>
    Effect.runSync(Cache.make({ capacity: 100, timeToLive: "2 millis", lookup }))
  const settings = make((name) => Effect.delay(Effect.succeed(`${name} of the app`), "1 millis"))
  const pages = make((user) =>
    Effect.flatMap(settings.get("theme"), (theme) =>
      Effect.promise(async () => {
        await delay(1)
        return `${theme} for ${user}`
      }))
  )
  return () =>
    Effect.gen(function*() {
      const user = yield* Request.get("user")
      const first = yield* pages.get(user)
      yield* Effect.sleep("2 millis")
      return [first, yield* pages.get(user)]
    })
}

/** A log that is flushed every 2 milliseconds. The timer runs in the context of who wrote the first line of it. */
const logOfTheFirst = () => {
  let lines: Array<() => void> = []
  const flush = () => {
    const ready = lines
    lines = []
    ready.forEach((write) => write())
  }
  return async () => {
    await delay(1)
    return new Promise<string>((done) => {
      const write = () => done(`[${request.get("request_id")}] the page is ready`)
      if (lines.push(write) === 1) {
        setTimeout(flush, 2)
      }
    })
  }
}

/** The same log, where each line is written in the context of who wrote it. */
const log = () => {
  let lines: Array<() => void> = []
  const flush = () => {
    const ready = lines
    lines = []
    ready.forEach((write) => write())
  }
  return async () => {
    await delay(1)
    return new Promise<string>((done) => {
      const write = compat.bind(() => done(`[${request.get("request_id")}] the page is ready`))
      if (lines.push(write) === 1) {
        setTimeout(flush, 2)
      }
    })
  }
}

/** A reply has the number of what it answers. That is a number by chance, and two may be the same. */
const busWithNumbersByChance = () => {
  const replies = new EventEmitter().setMaxListeners(0)
  return async () => {
    await delay(1)
    const number = Math.floor(Math.random() * 100_000)
    setTimeout(() => replies.emit(`reply ${number}`, `hello ${request.get("user")}`), 1 + number % 7)
    const [reply] = await once(replies, `reply ${number}`)
    return reply
  }
}

/** The same bus, with numbers that are counted. */
const bus = () => {
  const replies = new EventEmitter().setMaxListeners(0)
  let sent = 0
  return async () => {
    await delay(1)
    const number = sent++
    setTimeout(() => replies.emit(`reply ${number}`, `hello ${request.get("user")}`), 1 + number % 7)
    const [reply] = await once(replies, `reply ${number}`)
    return reply
  }
}

/** One worker for all jobs, in the context of the first who had one. */
const workerOfTheFirst = () => {
  const jobs = Effect.runSync(Queue.unbounded<Effect.Effect<void, never, Request>>())
  let running = false
  return () =>
    Effect.gen(function*() {
      if (!running) {
        running = true
        yield* Effect.forkDaemon(Effect.forever(Effect.flatten(jobs)))
      }
      const done = yield* Deferred.make<string>()
      yield* jobs.offer(Effect.flatMap(Request.get("user"), (user) => Deferred.succeed(done, `hello ${user}`)))
      return yield* Deferred.await(done)
    })
}

/** The same worker, where each job brings the context that it was made in. */
const worker = () => {
  const jobs = Effect.runSync(Queue.unbounded<Effect.Effect<void>>())
  let running = false
  return () =>
    Effect.gen(function*() {
      if (!running) {
        running = true
        yield* Effect.forkDaemon(Effect.forever(Effect.flatten(jobs)))
      }
      const done = yield* Deferred.make<string>()
      const mine = yield* Request.snapshot
      yield* jobs.offer(
        mine.run(Effect.flatMap(Request.get("user"), (user) => Deferred.succeed(done, `hello ${user}`)))
      )
      return yield* Deferred.await(done)
    })
}

/** Their state is made anew for each run. */
export const leaking: Record<string, Handler> = {
  "a batcher that answers who waits now": perRun(batcherThatForgetsWhoAsked),
  "a pool of buffers that are given back too early": perRun(bufferGivenBackTooEarly),
  "a cache by path": perRun(cacheByPath),
  "a log that the first writer flushes": perRun(logOfTheFirst),
  "a bus with numbers by chance": perRun(busWithNumbersByChance),
  "a worker that the first request started": perRun(workerOfTheFirst)
}

/** Their state is the module's, and goes from run to run. */
export const clean: Record<string, Handler> = {
  "a batcher": batcher(),
  "a pool of buffers": buffers(),
  "a cache by user": cacheByUser(),
  "a log": log(),
  "a bus": bus(),
  "a worker": worker()
}
