/**
 * Twelve pieces of a server, as people write them: six mix up their requests, six do not. None knows of the kit.
 */
import { Deferred, Effect, Queue, Ref } from "effect"
import { AsyncLocalStorage } from "node:async_hooks"
import { setTimeout as sleep } from "node:timers/promises"

/** Answers a user. */
export type Handler = (user: string) => Promise<unknown> | Effect.Effect<unknown>

const database = async (user: string) => {
  await sleep(3)
  return { name: user, orders: [`order of ${user}`] }
}

// -----------------------------------------------------------------------------------------------------------------
// six that leak
// -----------------------------------------------------------------------------------------------------------------

/** A page cache whose key forgets that the page greets its user. */
const pageCache = (): Handler => {
  const pages = new Map<string, string>()
  return async (user) => {
    const path = "/home"
    const cached = pages.get(path)
    if (cached !== undefined) {
      return cached
    }
    const { name } = await database(user)
    const page = `<h1>Hello, ${name}</h1>`
    pages.set(path, page)
    return page
  }
}

/** A loader that answers a batch in the order in which the rows came, not in that of the questions. */
const unorderedLoader = (): Handler => {
  let batch: Array<{ readonly user: string; readonly done: (row: object) => void }> = []
  const flush = async () => {
    const asked = batch
    batch = []
    const rows: Array<object> = []
    await Promise.all(asked.map(async ({ user }, index) => {
      await sleep(index % 2 === 0 ? 2 : 1)
      rows.push({ name: user })
    }))
    asked.forEach(({ done }, index) => done(rows[index]!))
  }
  return (user) =>
    new Promise((done) => {
      if (batch.push({ user, done }) === 1) {
        setTimeout(() => void flush(), 1)
      }
    })
}

/** A connection that keeps the session of its last user, and is given back before the answer is read. */
const earlyRelease = (): Handler => {
  const connection = { session: "" }
  let free = true
  const waiting: Array<() => void> = []
  const acquire = async () => free ? void (free = false) : new Promise<void>((resolve) => void waiting.push(resolve))
  const release = () => {
    const next = waiting.shift()
    if (next === undefined) {
      free = true
    } else {
      next()
    }
  }
  return async (user) => {
    await acquire()
    try {
      connection.session = user
      await sleep(1)
    } finally {
      release()
    }
    await Promise.resolve()
    await sleep(0)
    return { session: connection.session }
  }
}

/** Replies that are told apart by a number which starts again too soon. */
const shortIds = (): Handler => {
  const pending = new Map<number, (reply: string) => void>()
  let last = 0
  return (user) =>
    Effect.async<string>((resume) => {
      const id = last++ % 8
      pending.set(id, (reply) => resume(Effect.succeed(reply)))
      setTimeout(() => {
        pending.get(id)?.(`reply for ${user}`)
      }, 5)
    }).pipe(Effect.timeoutOption("1 second"))
}

/** A save that is put off until it is quiet, and then saves what it was last asked to, for all who wait. */
const debouncedSave = (): Handler => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = ""
  let waiting: Array<(saved: string) => void> = []
  return (user) =>
    new Promise((resolve) => {
      last = `draft of ${user}`
      waiting.push(resolve)
      clearTimeout(timer)
      timer = setTimeout(() => {
        waiting.forEach((saved) => saved(last))
        waiting = []
      }, 10)
    })
}

/** A logger that is told once a request who asks, and is one for all of them. */
const sharedLogger = (): Handler => {
  const logger = {
    bindings: { user: "" },
    info(message: string) {
      console.log(JSON.stringify({ message, ...this.bindings }))
    }
  }
  return (user) =>
    Effect.gen(function*() {
      logger.bindings = { user }
      logger.info("received")
      yield* Effect.sleep("2 millis")
      logger.info("answered")
    })
}

/** The handlers that leak, by name. */
export const leaking: Readonly<Record<string, () => Handler>> = {
  pageCache,
  unorderedLoader,
  earlyRelease,
  shortIds,
  debouncedSave,
  sharedLogger
}

// -----------------------------------------------------------------------------------------------------------------
// six that are clean
// -----------------------------------------------------------------------------------------------------------------

/** A cache with a time to live, by user; who asks at the same time shares one query. */
const userCache = (): Handler => {
  const entries = new Map<string, { readonly until: number; readonly row: Promise<object> }>()
  return async (user) => {
    const known = entries.get(user)
    if (known !== undefined && known.until > Date.now()) {
      return known.row
    }
    const row = database(user)
    entries.set(user, { until: Date.now() + 50, row })
    return row
  }
}

/** A loader that answers by key. */
const loader = (): Handler => {
  let batch = new Map<string, Array<(row: object) => void>>()
  const flush = async () => {
    const asked = batch
    batch = new Map()
    const rows = await Promise.all(Array.from(asked.keys(), database))
    for (const row of rows) {
      asked.get(row.name)?.forEach((done) => done(row))
    }
  }
  return (user) =>
    new Promise((done) => {
      if (batch.size === 0) {
        setTimeout(() => void flush(), 1)
      }
      batch.set(user, [...batch.get(user) ?? [], done])
    })
}

/** Two connections of promise code, each one user's at a time. */
const connections = (): Handler => {
  const free = [{ session: "" }, { session: "" }]
  const waiting: Array<(connection: { session: string }) => void> = []
  return async (user) => {
    const connection = free.pop() ?? await new Promise<{ session: string }>((resolve) => void waiting.push(resolve))
    try {
      connection.session = user
      await sleep(1)
      return { session: connection.session }
    } finally {
      connection.session = ""
      const next = waiting.shift()
      if (next === undefined) {
        free.push(connection)
      } else {
        next(connection)
      }
    }
  }
}

/** A worker that takes jobs from a queue and answers each one's own Deferred. */
const worker = (): Handler => {
  const jobs = Effect.runSync(Queue.unbounded<{ readonly user: string; readonly reply: Deferred.Deferred<string> }>())
  const work = Effect.flatMap(
    Queue.take(jobs),
    ({ reply, user }) => Effect.zipRight(Effect.sleep("1 millis"), Deferred.succeed(reply, `done for ${user}`))
  )
  return (user) =>
    Effect.gen(function*() {
      const reply = yield* Deferred.make<string>()
      yield* Queue.offer(jobs, { user, reply })
      yield* work
      return yield* Deferred.await(reply)
    })
}

const current = new AsyncLocalStorage<string>()

/** A user that every function of the request reads from an AsyncLocalStorage. */
const storage = (): Handler => {
  const greet = async () => {
    await sleep(1)
    return `hello, ${current.getStore()}`
  }
  return (user) => current.run(user, async () => [await greet(), (await Promise.all([greet(), greet()])).join()])
}

/** A counter for all, a form of one's own, and a gate that lets three in. */
const form = (): Handler => {
  const gate = Effect.unsafeMakeSemaphore(3)
  const count = Ref.unsafeMake(0)
  return (user) =>
    gate.withPermits(1)(Effect.gen(function*() {
      const fields = yield* Ref.make<ReadonlyArray<string>>([])
      yield* Ref.update(count, (n) => n + 1)
      yield* Effect.forEach(
        ["name", "street", "city"],
        (field) => Effect.delay(Ref.update(fields, (all) => [...all, `${field} of ${user}`]), "1 millis"),
        { concurrency: 2 }
      )
      return yield* Ref.get(fields)
    }))
}

/** The handlers that keep their requests apart, by name. */
export const clean: Readonly<Record<string, () => Handler>> = { userCache, loader, connections, worker, storage, form }
