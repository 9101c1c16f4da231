/**
 * Coming from TC39's `AsyncContext`: each line of the table in docs/coming-from.md, in a program that checks itself.
 */
import { compat, context, ContextLayer } from "aiocontext"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { Effect, Fiber } from "effect"
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"

// -----------------------------------------------------------------------------------------------------------------
// promise code
// -----------------------------------------------------------------------------------------------------------------

const requestId = new AsyncContext.Variable<string>()
const locale = new AsyncContext.Variable({ name: "locale", defaultValue: "en" })

assert.equal(locale.name, "locale")
assert.equal(locale.get(), "en")
assert.equal(requestId.get(), undefined)

const main = async (prefix: string) => {
  await Promise.resolve()
  return prefix + requestId.get()
}
assert.equal(await requestId.run("top", main, "at "), "at top")
assert.equal(requestId.get(), undefined)

requestId.run("A", () => {
  locale.run("de", () => assert.deepEqual([requestId.get(), locale.get()], ["A", "de"]))
  assert.deepEqual([requestId.get(), locale.get()], ["A", "en"])
})

// callbacks keep what was there when they were given away
const seen: Array<string | undefined> = []
requestId.run("A", () => setTimeout(() => seen.push(requestId.get()), 1))
while (seen.length === 0) {
  await sleep(1)
}
assert.deepEqual(seen, ["A"])

// snapshots
const snapshot = requestId.run("A", () => new AsyncContext.Snapshot())
requestId.run("B", () => assert.equal(snapshot.run(() => requestId.get()), "A"))

const fn = () => requestId.get()
const wrapped = requestId.run("A", () => AsyncContext.Snapshot.wrap(fn))
assert.equal(wrapped(), "A")
assert.equal(wrapped.name, "wrapped fn")

const empty = new AsyncContext.Snapshot()
assert.equal(requestId.run("B", () => empty.run(fn)), undefined)

// child tasks start with their parent's variables; a run is no task of its own
await context.run({}, async () => {
  await requestId.run("task", async () => {
    assert.equal(await compat.fork(fn), "task")
    assert.deepEqual(await compat.all([fn, fn]), ["task", "task"])
    context.set("seen", requestId.get())
  })
  assert.equal(context.get("seen"), "task")
})

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const read = Effect.gen(function*() {
  yield* Effect.sleep(1)
  return requestId.get()
})

const program = Effect.gen(function*() {
  assert.equal(requestId.get(), "root")

  const child = yield* Effect.fork(read)
  assert.equal(yield* Fiber.join(child), "root")
  assert.deepEqual(yield* Effect.all([read, read], { concurrency: 2 }), ["root", "root"])

  // in the fiber's own lines
  assert.equal(requestId.run("lines", fn), "lines")

  // around promise code, and around an effect
  assert.equal(yield* Effect.promise(() => requestId.run("promise", main, "at ")), "at promise")
  assert.equal(yield* Effect.promise(() => requestId.run("effect", () => compat.runPromise(read))), "effect")

  assert.equal(wrapped(), "A")
  return requestId.get()
})

const app = Effect.provide(program, ContextLayer)
assert.equal(await requestId.run("root", () => Effect.runPromise(app)), "root")
console.log("AsyncContext: as proposed")
