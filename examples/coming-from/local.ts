/**
 * tasklocals' README, on top of tasks: an object whose properties live in the running task.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/local.ts
 */
import { compat, context, NoTaskError } from "aiocontext"
import { local } from "aiocontext/compat/local"
import { Effect, Fiber } from "effect"
import assert from "node:assert/strict"

const mylocal = local<{ value: string }>()
const counter = local({ init: () => ({ count: 0 }) })
const loose = local<{ value: string }>({ strict: false })

const output: Array<string> = []

const print = (line: string) => {
  output.push(line)
  console.log(line)
}

// -----------------------------------------------------------------------------------------------------------------
// promise tasks
// -----------------------------------------------------------------------------------------------------------------

const child = async () => {
  print(`child: ${JSON.stringify(mylocal)}, count ${counter.count}`)
  mylocal.value = "Task 2"
}

const main = async () => {
  mylocal.value = "Task 1"
  counter.count += 1
  await compat.fork(child)
  await compat.all([child, child])
  await compat.timeout(child, "1 second")
  print(`parent: ${JSON.stringify(mylocal)}, count ${counter.count}`)
  print(`keys: ${Object.keys(mylocal)}, there: ${"value" in mylocal}`)
  delete mylocal.value
  print(`deleted: ${JSON.stringify(mylocal)}`)
}

await context.run({}, main)

assert.deepEqual(output.splice(0), [
  ...Array(4).fill("child: {}, count 0"),
  `parent: {"value":"Task 1"}, count 1`,
  "keys: value, there: true",
  "deleted: {}"
])

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const childFiber = Effect.promise(child)

const mainFiber = Effect.gen(function*() {
  mylocal.value = "Task 1"
  const fiber = yield* Effect.fork(childFiber)
  yield* Fiber.join(fiber)
  yield* Effect.all([childFiber, childFiber], { concurrency: "unbounded" })
  yield* Effect.timeout(childFiber, "1 second")
  print(`parent: ${JSON.stringify(mylocal)}`)
})

await Effect.runPromise(Effect.provide(mainFiber, compat.layer))

assert.deepEqual(output.splice(0), [...Array(4).fill("child: {}, count 0"), `parent: {"value":"Task 1"}`])

// -----------------------------------------------------------------------------------------------------------------
// outside every task
// -----------------------------------------------------------------------------------------------------------------

assert.throws(() => mylocal.value, NoTaskError)

loose.value = "outside"
assert.equal(loose.value, "outside")
