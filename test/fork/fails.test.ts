import { describe, expect, it } from "@effect/vitest"
import { compat, Context, ForkError } from "aiocontext"
import { Cause, Effect, Exit, Fiber, Option, Runtime, Stream } from "effect"
import { bridged, plain } from "../support.js"

/** A context whose children cannot have a map while it has the key "callback". */
class Deep extends Context.Tag("test/fork/fails/Deep")<Deep>({ fork: "deepCopy" }) {}

class Throws extends Context.Tag("test/fork/fails/Throws")<Throws>({
  fork: () => {
    throw new Error("no children today")
  }
}) {}

// TypeScript refuses it, JavaScript does not
class Wrong extends Context.Tag("test/fork/fails/Wrong")<Wrong>({ fork: (() => ({})) as never }) {}

/** The error that an effect ends with. */
const failureOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => Exit.isFailure(exit) ? Cause.squash(exit.cause) : "it succeeded")

type Start = (child: Effect.Effect<void>) => Effect.Effect<unknown, unknown, Deep>

/** Ways to start a child that its parent waits for, as effects that end as the child does. */
const ways: Readonly<Record<string, Start>> = {
  "Effect.fork": (child) => Effect.flatMap(Effect.fork(child), Fiber.join),
  "Effect.race": (child) => Effect.race(child, child),
  "Effect.raceFirst": (child) => Effect.raceFirst(child, Effect.never),
  "Effect.timeout": (child) => Effect.timeout(child, "1 minute"),
  "Stream.mapEffect": (child) =>
    Stream.make(1, 2, 3).pipe(Stream.rechunk(1), Stream.mapEffect(() => child, { concurrency: 2 }), Stream.runDrain),
  "Runtime.runFork": (child) =>
    Effect.flatMap(Effect.runtime<Deep>(), (runtime) => Fiber.join(Runtime.runFork(runtime)(child)))
}

/** Ways to start one that nobody waits for as such: others may wait for what it was to do first. */
const detached: Readonly<
  Record<string, (child: Effect.Effect<unknown, never, Deep>) => Effect.Effect<unknown, unknown, Deep>>
> = {
  "Effect.forkDaemon": (child) => Effect.flatMap(Effect.forkDaemon(child), Fiber.join),
  "Effect.forkScoped": (child) => Effect.scoped(Effect.flatMap(Effect.forkScoped(child), Fiber.join)),
  "Effect.forEach with concurrency": (child) => Effect.forEach([1, 2], () => child, { concurrency: 2 }),
  "Effect.all with concurrency": (child) => Effect.all([child, child], { concurrency: "unbounded" }),
  "Effect.zip, concurrent": (child) => Effect.zip(child, child, { concurrent: true }),
  "Stream.buffer": (child) => Stream.fromEffect(child).pipe(Stream.buffer({ capacity: 2 }), Stream.runDrain),
  "Stream.merge": (child) => Stream.fromEffect(child).pipe(Stream.merge(Stream.fromEffect(child)), Stream.runDrain)
}

/** The same in promise code. */
const promises: Readonly<Record<string, (child: () => void) => Promise<unknown>>> = {
  "compat.fork": (child) => compat.fork(child),
  "compat.all": (child) => compat.all([child, child]),
  "compat.timeout": (child) => compat.timeout(child, "1 minute"),
  "compat.runPromise": (child) => compat.runPromise(Effect.sync(child)),
  "compat.runFork": (child) => Effect.runPromise(Fiber.join(compat.runFork(Effect.sync(child))))
}

const unclonable = { fine: 1, callback: () => 1 }

describe("a value that cannot be copied fails the child, before its first line", () => {
  for (const [name, start] of Object.entries(ways)) {
    it.live(`${name}`, () =>
      Effect.gen(function*() {
        let begun = 0
        const error = yield* failureOf(start(Effect.sync(() => void begun++)))
        expect(error).toBeInstanceOf(ForkError)
        expect(error).toMatchObject({ key: "callback", context: Deep.key })
        expect(begun).toBe(0)
        expect(plain(yield* Deep.data)).toEqual(unclonable)
      }).pipe(Deep.provide(unclonable), Effect.timeout("5 seconds")))
  }

  for (const [name, start] of Object.entries(detached)) {
    it.live(`${name}: where it first uses the map`, () =>
      Effect.gen(function*() {
        const error = yield* failureOf(start(Deep.get("fine")))
        expect(error).toMatchObject({ _tag: "ForkError", key: "callback", context: Deep.key })
        expect(plain(yield* Deep.data)).toEqual(unclonable)
      }).pipe(Deep.provide(unclonable), Effect.timeout("5 seconds")))
  }

  const rejects = async (start: (child: () => void) => Promise<unknown>) => {
    let begun = 0
    // nothing is thrown by the call itself
    const promise = start(() => void begun++)
    const error = await promise.then(() => "it succeeded", (error: unknown) => error)
    expect(String(error)).toContain("callback")
    expect(begun).toBe(0)
  }
  for (const [name, start] of Object.entries(promises)) {
    it(`${name}, in a promise task`, () => compat.make(Deep).run(unclonable, () => rejects(start)))
    it.live(`${name}, in a fiber's promise code`, () =>
      Effect.promise(() => rejects(start)).pipe(Deep.provide(unclonable), bridged))
  }
})

describe("peek, for loggers, finds nothing where the map cannot be made, and throws nothing", () => {
  it.live("in Effect code", () =>
    Effect.gen(function*() {
      const daemon = yield* Effect.forkDaemon(Deep.peek("fine"))
      expect(yield* Fiber.join(daemon)).toEqual(Option.none())
    }).pipe(Deep.provide(unclonable)))

  it.live("in promise code", () =>
    Effect.gen(function*() {
      const daemon = yield* Effect.forkDaemon(Effect.sync(() => compat.make(Deep).peek("fine", "nothing")))
      expect(yield* Fiber.join(daemon)).toBe("nothing")
    }).pipe(Deep.provide(unclonable), bridged))
})

describe("a parent whose child failed at its start", () => {
  it.effect("goes on, and starts others once the value is gone", () =>
    Effect.gen(function*() {
      const child = yield* Effect.fork(Effect.void)
      expect(Exit.isFailure(yield* Fiber.await(child))).toBe(true)
      yield* Deep.delete("callback")
      expect(yield* Effect.flatMap(Effect.fork(Deep.get("fine")), Fiber.join)).toBe(1)
    }).pipe(Deep.provide(unclonable)))

  it.live("ends, where it is a stream and one item's child fails", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const error = yield* Stream.make(1, 2, 3).pipe(
        Stream.rechunk(1),
        Stream.tap((n) => n === 2 ? Deep.set("callback", () => n) : Effect.void),
        Stream.mapEffect((n) => Effect.sync(() => seen.push(n)), { concurrency: 2 }),
        Stream.runDrain,
        failureOf
      )
      expect(error).toMatchObject({ _tag: "ForkError", key: "callback" })
      expect(seen).not.toContain(2)
    }).pipe(Deep.provide({}), Effect.timeout("5 seconds")))
})

describe("a fork of one's own fails the child", () => {
  for (
    const [how, tag] of Object.entries({
      "that throws": Throws,
      "that gives no map": Wrong as unknown as typeof Throws
    })
  ) {
    it.effect(`${how}, and names the context`, () =>
      Effect.gen(function*() {
        const child = yield* Effect.fork(Effect.void)
        const error = yield* failureOf(Fiber.join(child))
        expect(error).toBeInstanceOf(ForkError)
        expect(String((error as ForkError).message)).toContain(tag.key)
        expect(plain(yield* tag.data)).toEqual({ a: 1 })
      }).pipe(tag.provide({ a: 1 })))

    it(`${how}, in promise code`, () =>
      compat.make(tag).run({ a: 1 }, async () => {
        await expect(compat.fork(() => 1)).rejects.toThrow(tag.key)
      }))
  }
})
