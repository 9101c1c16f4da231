/**
 * Coming from PEP 567's `contextvars`, and PEP 550: each line of the table in docs/coming-from.md, in a program that
 * checks itself.
 */
import { compat, context, ContextLayer } from "aiocontext"
import {
  Context,
  ContextEnteredError,
  ContextVar,
  copyContext,
  isolate,
  LookupError,
  Token,
  TokenError
} from "aiocontext/compat/contextvars"
import { Effect, Fiber } from "effect"
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"

// -----------------------------------------------------------------------------------------------------------------
// promise code
// -----------------------------------------------------------------------------------------------------------------

const user = new ContextVar<string>("user")
const locale = new ContextVar("locale", { default: "en" })

assert.equal(user.name, "user")
assert.throws(() => user.get(), LookupError)
assert.equal(user.get("nobody"), "nobody")
assert.equal(locale.get(), "en")

// outside every task
const token = user.set("ann")
assert.equal(user.get(), "ann")
assert.equal(token.var, user)
assert.equal(token.oldValue, Token.MISSING)
user.reset(token)
assert.throws(() => user.reset(token), (error) => error instanceof TokenError && error.reason === "used")

{
  using _ = locale.set("de")
  assert.equal(locale.get(), "de")
}
assert.equal(locale.get(), "en")

// contexts
const ctx = copyContext()
const greet = (greeting: string) => {
  user.set("bob")
  return `${greeting} ${user.get()}`
}
assert.equal(ctx.run(greet, "hello"), "hello bob")
assert.equal(ctx.get(user), "bob")
assert.equal(ctx.get(locale, "unset"), "unset")
assert.equal(ctx.has(user), true)
assert.equal(ctx.size, 1)
assert.deepEqual([...ctx], [user])
assert.deepEqual([...ctx.entries()], [[user, "bob"]])
assert.equal(user.get("nobody"), "nobody")
assert.equal(ctx.copy().get(user), "bob")
assert.equal(new Context().size, 0)
ctx.run(() => assert.throws(() => ctx.run(greet, "again"), ContextEnteredError))

// an async function is in the context across its awaits
const handle = async () => {
  await sleep(1)
  user.set("carl")
}
await ctx.run(handle)
assert.equal(ctx.get(user), "carl")

// tasks
const work = async () => {
  await sleep(1)
  user.set(`${user.get()}'s child`)
  return user.get()
}
await context.run({}, async () => {
  user.set("dora")
  const task = compat.fork(work)
  assert.equal(await task, "dora's child")
  assert.deepEqual(await compat.all([work, work]), ["dora's child", "dora's child"])
  assert.equal(await compat.timeout(work, "1 second"), "dora's child")
  assert.equal(user.get(), "dora")

  const shared = copyContext()
  await compat.fork(work, { context: shared })
  assert.equal(shared.get(user), "dora's child")
  const later = copyContext()
  setTimeout(() => later.run(work), 1)
  while (later.get(user) === "dora") {
    await sleep(1)
  }
  assert.equal(later.get(user), "dora's child")
  assert.equal(user.get(), "dora")
})

// PEP 550
const series = isolate(function*(n: number) {
  locale.set("fr")
  for (let i = 0; i < n; i++) {
    yield `${locale.get()}${i}`
  }
})
assert.deepEqual([...series(2)], ["fr0", "fr1"])
assert.equal(locale.get(), "en")

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const fiberWork = Effect.gen(function*() {
  yield* Effect.sleep(1)
  user.set(`${user.get()}'s fiber`)
  return user.get()
})

const program = Effect.gen(function*() {
  const token = user.set("eve")
  assert.equal(user.get(), "eve")

  const child = yield* Effect.fork(fiberWork)
  assert.equal(yield* Fiber.join(child), "eve's fiber")
  const both = yield* Effect.all([fiberWork, fiberWork], { concurrency: 2 })
  assert.deepEqual(both, ["eve's fiber", "eve's fiber"])
  assert.equal(yield* Effect.timeout(fiberWork, "1 second"), "eve's fiber")
  assert.equal(user.get(), "eve")

  const shared = copyContext()
  yield* compat.runFork(fiberWork, { context: shared })
  assert.equal(shared.get(user), "eve's fiber")

  // promise code that the fiber waits for is the same task
  yield* Effect.promise(handle)
  assert.equal(user.get(), "carl")
  yield* Effect.promise(() => shared.run(handle))
  assert.equal(shared.get(user), "carl")

  user.reset(token)
  assert.equal(user.get("nobody"), "nobody")
})

await Effect.runPromise(Effect.provide(program, ContextLayer))
console.log("contextvars: as in Python")
