import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { makeProject } from "./project.js"

// Before 3.20 Effect's scheduler runs fibers in the async context of whichever asked first (GHSA-38f7-945m-qr2g).
const program = `
import { AsyncLocalStorage } from "node:async_hooks"
import { Effect, Runtime } from "effect"
import { compat, Context } from "aiocontext"

class Request extends Context.Tag("old/Request")() {}
const request = compat.make(Request)
const storage = new AsyncLocalStorage()

const handle = (id) => Effect.gen(function*() {
  const foreign = { own: 0, imperative: 0, storage: 0 }
  for (let step = 0; step < 5; step++) {
    yield* Effect.yieldNow()
    if ((yield* Request.get("id")) !== id) foreign.own++
    if (request.peek("id", "none") !== id) foreign.imperative++
    if (storage.getStore() !== id) foreign.storage++
    yield* Effect.promise(async () => {
      await Promise.resolve()
      if (request.peek("id", "none") !== id) foreign.imperative++
      if (storage.getStore() !== id) foreign.storage++
    })
  }
  return foreign
}).pipe(Request.provide({ id }))

const requests = Effect.gen(function*() {
  const runtime = yield* Effect.runtime()
  const ids = Array.from({ length: 50 }, (_, index) => "r-" + index)
  const all = yield* Effect.promise(() =>
    Promise.all(ids.map((id) => storage.run(id, () => Runtime.runPromise(runtime)(handle(id)))))
  )
  return Object.fromEntries(["own", "imperative", "storage"].map((what) => [what, all.reduce((sum, one) => sum + one[what], 0)]))
})

console.log(JSON.stringify({
  plain: await Effect.runPromise(requests),
  bridged: await Effect.runPromise(requests.pipe(Effect.provide(compat.layer)))
}))
`

interface Foreign {
  readonly own: number
  readonly imperative: number
  readonly storage: number
}

describe("on Effect 3.19.15, below the peer range", () => {
  const project = makeProject()
  let foreign: { readonly plain: Foreign; readonly bridged: Foreign }
  beforeAll(async () => {
    await project.install(inject("tarball"), "effect@3.19.15")
    project.write("program.mjs", program)
    foreign = JSON.parse(await project.run(process.execPath, "program.mjs"))
  })
  afterAll(project.remove)

  it("fifty requests mix other libraries' stores", () => {
    expect(foreign.plain.storage).toBeGreaterThan(0)
  })
  it("their maps never mix", () => {
    expect([foreign.plain.own, foreign.bridged.own]).toEqual([0, 0])
  })
  it("nor do they in imperative code under the bridge", () => {
    expect(foreign.bridged.imperative).toBe(0)
  })
})
