import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { ContextVar, copyContext } from "aiocontext/compat/contextvars"
import { Effect, Queue, Runtime } from "effect"
import { bridged, collected, withResolvers } from "../support.js"
import { flatly, growth } from "./growth.js"

class Copy extends Context.Tag("test/cost/lines/copy")<Copy>() {}
const tags: Readonly<Record<string, typeof Copy>> = {
  copy: Copy,
  deepCopy: Context.Tag("test/cost/lines/deepCopy")<Copy>({ fork: "deepCopy" }) as unknown as typeof Copy,
  chain: Context.Tag("test/cost/lines/chain")<Copy>({ fork: "chain" }) as unknown as typeof Copy,
  share: Context.Tag("test/cost/lines/share")<Copy>({ fork: "share" }) as unknown as typeof Copy,
  merge: Context.Tag("test/cost/lines/merge")<Copy>({ join: "merge" }) as unknown as typeof Copy
}

/**
 * A line that goes on by so many links at each call. Each link starts the next one from inside, and ends; the last one
 * waits for the next call.
 */
const makeLine = (begin: (link: () => Promise<boolean>) => unknown) => {
  let left = 0
  let begun = false
  let done = withResolvers()
  let turn = withResolvers()
  /** What a link waits for: `true` where it is to go on. */
  const link = async () => {
    await Promise.resolve()
    if (--left <= 0) {
      const { promise } = turn
      done.resolve()
      await promise
    }
    return left > 0
  }
  return (links: number): Promise<void> => {
    const waiting = turn
    left = links
    done = withResolvers()
    turn = withResolvers()
    if (begun) {
      waiting.resolve()
    } else {
      begun = true
      begin(link)
    }
    return done.promise
  }
}

type Next = (tag: typeof Copy, link: () => Promise<void>) => unknown

const number = new ContextVar<number>("test/cost/lines")
const variable = new AsyncContext.Variable<number>()
let count = 0

/** Ways in promise code to start the next link from inside of one. */
const promiseLines: Readonly<Record<string, Next>> = {
  "context.run in a timer": (tag, link) => setImmediate(() => void compat.make(tag).run({ count: ++count }, link)),
  "context.run": (tag, link) => void compat.make(tag).run({ count: ++count }, link),
  "context.locally": (tag, link) => void compat.make(tag).locally({ count: ++count }, link),
  "compat.fork": (_, link) => void compat.fork(link),
  "compat.fork in a timer": (_, link) => setImmediate(() => void compat.fork(link)),
  "compat.runFork": (_, link) => compat.runFork(Effect.promise(link)),
  "compat.bind, through a queue": (tag, link) => {
    const queue = [compat.bind(() => void compat.make(tag).run({ count: ++count }, link))]
    setImmediate(() => queue.shift()!())
  },
  "Context.run of contextvars": (_, link) =>
    copyContext().run(() => {
      number.set(++count)
      setImmediate(() => void compat.fork(link))
    }),
  "AsyncContext.Variable.run": (_, link) => setImmediate(() => void variable.run(++count, () => compat.fork(link))),
  "aiotask.run": (_, link) => void aiotask.run(link)
}

type NextEffect = (tag: typeof Copy, link: Effect.Effect<void, never, Copy>) => Effect.Effect<unknown, never, Copy>

/** The same in Effect code. */
const effectLines: Readonly<Record<string, NextEffect>> = {
  "Effect.forkDaemon": (_, link) => Effect.forkDaemon(link),
  "forkDaemon of what provides": (tag, link) => Effect.forkDaemon(tag.provide({ count: ++count })(link)),
  "provide around forkDaemon": (tag, link) => tag.provide({ count: ++count })(Effect.forkDaemon(link)),
  "forkDaemon of what a layer provides": (tag, link) =>
    Effect.forkDaemon(Effect.provide(link, tag.layer({ count: ++count }))),
  "locally around forkDaemon": (tag, link) => tag.locally({ count: ++count })(Effect.forkDaemon(link)),
  "Runtime.runFork": (_, link) => Effect.map(Effect.runtime<Copy>(), (runtime) => void Runtime.runFork(runtime)(link)),
  "compat.runFork": (tag, link) => Effect.sync(() => void compat.make(tag).runFork(link)),
  "a Queue, with the services of the link before": (_, link) =>
    Effect.gen(function*() {
      const services = yield* Effect.context<Copy>()
      const queue = yield* Queue.unbounded<Effect.Effect<void>>()
      yield* Queue.offer(queue, Effect.provide(link, services))
      yield* Effect.forkDaemon(Effect.flatten(Queue.take(queue)))
    })
}

/** What each link keeps in its map. */
class Payload {
  readonly bytes = new Uint8Array(1024)
}

const links = 500

describe.sequential("a line of tasks that each start the next one keeps nothing of those before it", () => {
  for (const [strategy, tag] of Object.entries(tags)) {
    const map = compat.make(tag)
    // the link that runs, those whose maps it may have copied, and what is on a stack
    const kept = 8

    const all = strategy === "copy" || strategy === "chain"

    for (const [name, next] of Object.entries(promiseLines).slice(...(all ? [] : [0, 2]))) {
      it(`under ${strategy}: ${name}`, async () => {
        const refs: Array<WeakRef<object>> = []
        const run = makeLine((wait) => {
          const link = async (): Promise<void> => {
            const payload = new Payload()
            refs.push(new WeakRef(payload))
            map.set("payload", payload)
            if (await wait()) {
              next(tag, link)
            }
          }
          void map.run({}, link)
        })
        await run(links)
        expect(await collected(refs.slice(0, -kept))).toBe(refs.length - kept)
      })
    }

    for (const [name, next] of Object.entries(effectLines).slice(...(all ? [] : [0, 2]))) {
      it(`under ${strategy}, in fibers: ${name}`, async () => {
        const refs: Array<WeakRef<object>> = []
        const run = makeLine((wait) => {
          const link: Effect.Effect<void, never, Copy> = Effect.suspend(() => {
            const payload = new Payload()
            refs.push(new WeakRef(payload))
            return Effect.zipRight(tag.set("payload", payload), Effect.promise(wait))
          }).pipe(Effect.flatMap((goesOn) => goesOn ? next(tag, link) : Effect.void))
          Effect.runFork(link.pipe(tag.provide({}), bridged))
        })
        await run(links)
        expect(await collected(refs.slice(0, -kept))).toBe(refs.length - kept)
      })
    }
  }
})

describe.sequential("a line of 20,000 links and more has a flat heap", () => {
  for (const [name, next] of Object.entries(promiseLines)) {
    it(name, async () => {
      const run = makeLine((wait) => {
        const link = async (): Promise<void> => {
          if (await wait()) {
            next(Copy, link)
          }
        }
        void compat.make(Copy).run({}, link)
      })
      expect(await growth(10_000, run)).toBeLessThan(flatly)
    })
  }
})
