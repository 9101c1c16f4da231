/**
 * The documentation of Python's AioContext, in the library's own API.
 *
 *     npx tsx --conditions=@aiocontext/source examples/coming-from/aiocontext.ts
 */
import { BridgeError, compat, Context, KeyNotFoundError, NoTaskError, NotAttachedError } from "aiocontext"
import { Effect, Fiber, HashMap } from "effect"
import assert from "node:assert/strict"

class RequestContext extends Context.Tag("app/RequestContext")<RequestContext, {
  readonly request_id: number
  readonly user?: string
}>() {}

const request = compat.make(RequestContext)

class Copied extends Context.Tag("app/Copied")<Copied>({ fork: "copy" }) {}
class DeepCopied extends Context.Tag("app/DeepCopied")<DeepCopied>({ fork: "deepCopy" }) {}
class Chained extends Context.Tag("app/Chained")<Chained>({ fork: "chain" }) {}

const output: Array<string> = []

const print = (line: string) => {
  output.push(line)
  console.log(line)
}

// -----------------------------------------------------------------------------------------------------------------
// promise code
// -----------------------------------------------------------------------------------------------------------------

const printRequest = async () => print(`Request ID: ${request.get("request_id")}`)

const handleRequest = async () => {
  await printRequest()
  request.set("request_id", 43)
  request.set("user", "ann")
  print(`${request.getOrThrow("request_id")} ${request.get("user", "unknown")} ${request.has("user")}`)
  await compat.fork(printRequest)
  await compat.all([printRequest, printRequest])
  await compat.timeout(printRequest, "1 second")
  request.delete("user")
  print(`${request.size} ${[...request.keys()]} ${JSON.stringify(request.toObject())}`)
  assert.throws(() => request.getOrThrow("user"), KeyNotFoundError)
  const contexts = await compat.runPromise(Context.attached)
  print(`attached: ${contexts.map(({ key }) => key)}`)
}

await request.run({ request_id: 42 }, handleRequest)

assert.deepEqual(output.splice(0), [
  "Request ID: 42",
  "43 ann true",
  ...Array(4).fill("Request ID: 43"),
  `1 request_id {"request_id":43}`,
  "attached: app/RequestContext"
])

// -----------------------------------------------------------------------------------------------------------------
// fibers
// -----------------------------------------------------------------------------------------------------------------

const printRequestEffect = Effect.map(RequestContext.get("request_id"), (id) => print(`Request ID: ${id}`))

const handleRequestEffect = Effect.gen(function*() {
  yield* printRequestEffect
  yield* RequestContext.set("request_id", 43)
  yield* RequestContext.set("user", "ann")
  const id = yield* RequestContext.getOrFail("request_id")
  const user = yield* RequestContext.get("user", "unknown")
  print(`${id} ${user} ${yield* RequestContext.has("user")}`)
  const fiber = yield* Effect.fork(printRequestEffect)
  yield* Fiber.join(fiber)
  yield* Effect.all([printRequestEffect, printRequestEffect], { concurrency: "unbounded" })
  yield* Effect.timeout(printRequestEffect, "1 second")
  yield* RequestContext.delete("user")
  print(`${yield* RequestContext.size} ${yield* RequestContext.keys}`)
  print(`of the child: ${HashMap.size(yield* RequestContext.dataOf(fiber))}`)
  const contexts = yield* Context.attached
  print(`attached: ${contexts.map(({ key }) => key)}`)
})

const program = handleRequestEffect.pipe(RequestContext.provide({ request_id: 42 }))

await Effect.runPromise(Effect.provide(program, compat.layer))

assert.deepEqual(output.splice(0), [
  "Request ID: 42",
  "43 ann true",
  ...Array(4).fill("Request ID: 43"),
  "1 request_id",
  "of the child: 2",
  "attached: app/RequestContext"
])

// -----------------------------------------------------------------------------------------------------------------
// what a child gets
// -----------------------------------------------------------------------------------------------------------------

const change = <Self>(tag: Context.TagClass<Self, string, Context.Dict>) =>
  Effect.gen(function*() {
    yield* tag.set("list", ["parent"])
    yield* Effect.fork(
      Effect.gen(function*() {
        const list = (yield* tag.get("list")) as Array<string>
        list[0] = "child"
        yield* tag.set("own", true)
      })
    ).pipe(Effect.flatMap(Fiber.join))
    return [yield* tag.get("list"), yield* tag.get("own")]
  })

assert.deepEqual(Effect.runSync(change(Copied).pipe(Copied.provide({}))), [["child"], undefined])
assert.deepEqual(Effect.runSync(change(DeepCopied).pipe(DeepCopied.provide({}))), [["parent"], undefined])
assert.deepEqual(Effect.runSync(change(Chained).pipe(Chained.provide({}))), [["child"], undefined])

// -----------------------------------------------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------------------------------------------

assert.throws(() => request.get("request_id"), NoTaskError)
compat.make(Copied).run({}, () => assert.throws(() => request.get("request_id"), NotAttachedError))
Effect.runSync(Effect.sync(() => assert.throws(() => request.get("request_id"), BridgeError)))
