import { describe, expect, it } from "@effect/vitest"
import { compat, context } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Effect, Fiber } from "effect"
import { asTask, bridged, sleep, withResolvers } from "../../support.js"

const { all, fork, timeout } = compat

describe("the caveats of the README", () => {
  it("a local used outside every task throws", () => {
    expect(() => local<{ user: string }>().user).toThrow(/^local\["user"\]: no task is running here/)
  })

  const cases: Record<string, (f: () => Promise<unknown>) => Promise<unknown>> = {
    "compat.fork": (f) => fork(f),
    "compat.all": async (f) => (await all([f]))[0],
    "compat.timeout": (f) => timeout(f, "1 second"),
    "context.run": (f) => context.run({}, f),
    "compat.runPromise": (f) => compat.runPromise(Effect.promise(f)),
    "compat.runFork": (f) => Effect.runPromise(Fiber.join(compat.runFork(Effect.promise(f)))),
    "Effect.fork": (f) => compat.runPromise(Effect.flatMap(Effect.fork(Effect.promise(f)), Fiber.join)),
    "Effect.all with concurrency": (f) =>
      compat.runPromise(Effect.all([Effect.promise(f), Effect.void], { concurrency: 2 })).then(([seen]) => seen),
    "Effect.timeout": (f) => compat.runPromise(Effect.timeout(Effect.promise(f), "1 second")),
    "Effect.race": (f) => compat.runPromise(Effect.race(Effect.promise(f), Effect.never))
  }

  for (const [title, start] of Object.entries(cases)) {
    it(`${title} starts a new task with its own storage`, () =>
      asTask(async () => {
        const mine = local<{ user: string }>()
        mine.user = "parent"
        const child = await start(async () => {
          const before = { ...mine }
          mine.user = "child"
          await sleep(1)
          return [before, mine.user]
        })
        expect(child).toEqual([{}, "child"])
        expect(mine.user).toBe("parent")
      }))
  }

  it("an async function that is awaited and not forked is the same task", () =>
    asTask(async () => {
      const mine = local<{ user: string; seen: boolean }>()
      mine.user = "ann"
      const sub = async () => {
        await sleep(1)
        mine.seen = true
        return mine.user
      }
      expect(await sub()).toBe("ann")
      expect(mine.seen).toBe(true)
    }))

  it("sequential Effect code and the promise code that it calls are the same task", () =>
    Effect.gen(function*() {
      const mine = local<{ user: string }>()
      mine.user = "ann"
      yield* Effect.sleep(1)
      expect(mine.user).toBe("ann")
      yield* Effect.promise(async () => {
        expect(mine.user).toBe("ann")
        await sleep(1)
        mine.user = "bob"
      })
      expect(mine.user).toBe("bob")
      yield* Effect.all([Effect.sync(() => void (mine.user = "cat")), Effect.void])
      expect(mine.user).toBe("cat")
    }).pipe(bridged, Effect.runPromise))
})

describe("left-over code", () => {
  it("of a fiber's step keeps the properties of that moment, and what it sets stays its own", () =>
    Effect.gen(function*() {
      const mine = local<{ user: string }>()
      const { promise, resolve } = withResolvers()
      let leftOver: Promise<unknown> = Promise.resolve()
      mine.user = "then"
      yield* Effect.promise(async () => {
        leftOver = promise.then(() => {
          const seen = mine.user
          mine.user = "left over"
          return [seen, mine.user]
        })
      })
      mine.user = "now"
      resolve()
      expect(yield* Effect.promise(() => leftOver)).toEqual(["then", "left over"])
      expect(mine.user).toBe("now")
    }).pipe(bridged, Effect.runPromise))
})
