/**
 * aiotask-context's README, on top of tasks: one global context, and the three task factories.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/aiotask.ts
 */
import { compat, NoTaskError } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { chainmapTaskFactory, copyingTaskFactory, taskFactory } from "aiocontext/compat/aiotask"
import { Effect, Fiber } from "effect"
import assert from "node:assert/strict"

const output: Array<string> = []

const print = (line: string) => {
  output.push(line)
  console.log(line)
}

// -----------------------------------------------------------------------------------------------------------------
// the request id
// -----------------------------------------------------------------------------------------------------------------

const inner = async () => print(aiotask.get("request_id", "Unknown"))

const handle = async () => {
  aiotask.set("request_id", "1234")
  await inner()
}

await aiotask.run(handle, taskFactory)

const handleInFiber = Effect.gen(function*() {
  aiotask.set("request_id", "5678")
  yield* Effect.promise(inner)
})

await Effect.runPromise(aiotask.run(handleInFiber, taskFactory).pipe(Effect.provide(compat.layer)))

assert.deepEqual(output.splice(0), ["1234", "5678"])

// -----------------------------------------------------------------------------------------------------------------
// child tasks share the map
// -----------------------------------------------------------------------------------------------------------------

const zero = async () => print(`0: ${aiotask.get("status")}`)
const one = async () => aiotask.set("status", "DONE")
const childFiber = Effect.sync(() => aiotask.set("status", "FIBER DONE"))

await aiotask.run(async () => {
  aiotask.set("status", "RUNNING")
  await compat.all([one, zero])
  await compat.fork(one)
  await compat.timeout(one, "1 second")
  print(`2: ${aiotask.get("status")}`)
  aiotask.clear()
  print(`cleared: ${aiotask.get("status", "none")}`)
})

await Effect.gen(function*() {
  aiotask.set("status", "RUNNING")
  const fiber = yield* Effect.fork(childFiber)
  yield* Fiber.join(fiber)
  yield* Effect.all([childFiber, childFiber], { concurrency: "unbounded" })
  yield* Effect.timeout(childFiber, "1 second")
  print(`2: ${aiotask.get("status")}`)
}).pipe(Effect.provide(compat.layer), Effect.runPromise)

assert.deepEqual(output.splice(0), ["0: DONE", "2: DONE", "cleared: none", "2: FIBER DONE"])

// -----------------------------------------------------------------------------------------------------------------
// the comparison of the task factories
// -----------------------------------------------------------------------------------------------------------------

const show = (title: string) =>
  print(`${title}: simple=${aiotask.get("simple")}, complex=${JSON.stringify(aiotask.get("complex"))}`)

const child = async () => {
  aiotask.set("simple", "from child")
  aiotask.get<Array<string>>("complex")![1] = "child"
  show("child")
}

const parent = async () => {
  aiotask.set("simple", "from parent")
  aiotask.set("complex", ["from", "parent"])
  show("parent before")
  await compat.fork(child)
  show("parent after")
}

await aiotask.run(parent, taskFactory)
assert.deepEqual(output.splice(0), [
  `parent before: simple=from parent, complex=["from","parent"]`,
  `child: simple=from child, complex=["from","child"]`,
  `parent after: simple=from child, complex=["from","child"]`
])

await aiotask.run(parent, copyingTaskFactory)
assert.deepEqual(output.splice(0), [
  `parent before: simple=from parent, complex=["from","parent"]`,
  `child: simple=from child, complex=["from","child"]`,
  `parent after: simple=from parent, complex=["from","parent"]`
])

await aiotask.run(parent, chainmapTaskFactory)
assert.deepEqual(output.splice(0), [
  `parent before: simple=from parent, complex=["from","parent"]`,
  `child: simple=from child, complex=["from","child"]`,
  `parent after: simple=from parent, complex=["from","child"]`
])

const parentFiber = Effect.gen(function*() {
  aiotask.set("simple", "from parent")
  yield* Effect.fork(Effect.sync(() => aiotask.set("simple", "from child"))).pipe(Effect.flatMap(Fiber.join))
  return aiotask.get("simple")
})

const inFiber = <A>(effect: Effect.Effect<A>) => Effect.runPromise(Effect.provide(effect, compat.layer))

assert.equal(await inFiber(aiotask.run(parentFiber, taskFactory)), "from child")
assert.equal(await inFiber(aiotask.run(parentFiber, copyingTaskFactory)), "from parent")
assert.equal(await inFiber(aiotask.run(parentFiber, chainmapTaskFactory)), "from parent")

// -----------------------------------------------------------------------------------------------------------------
// outside every task
// -----------------------------------------------------------------------------------------------------------------

assert.throws(() => aiotask.get("request_id"), NoTaskError)
