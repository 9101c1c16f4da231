import { describe, expect, it } from "@effect/vitest"
import { context, NoTaskError } from "aiocontext"
import { jobContext, Local, request, withContext, wrapAsync, wrapGather } from "aiocontext/compat/aiolocals"
import { Effect } from "effect"
import { bridged, sleep, withResolvers } from "../../support.js"

describe("wrapAsync and wrapGather", () => {
  it("start tasks outside every context too", async () => {
    const foo = new Local<{ n: number }>()
    expect(await wrapAsync(async () => 1)).toBe(1)
    expect(await wrapGather()).toEqual([])
    await wrapAsync(async () => {
      await sleep(1)
      expect(() => foo.n).toThrow(NoTaskError)
      expect(context.attached).toBe(false)
    })
  })

  it("reject with the first failure, and the others run on", () => {
    const foo = new Local<{ done: boolean }>()
    const { promise, resolve } = withResolvers()
    return withContext({ locals: [foo] }, async () => {
      const all = wrapGather(
        async () => {
          throw new Error("first")
        },
        async () => {
          await promise
          foo.done = true
        }
      )
      await expect(all).rejects.toThrow("first")
      resolve()
      await sleep(1)
      expect(foo.done).toBe(true)
    })
  })
})

describe("jobContext", () => {
  it("has the job's name in request.path, and hands arguments, this and the result through", async () => {
    const worker = {
      factor: 2,
      run: jobContext("double")(async function(this: { factor: number }, n: number) {
        await sleep(1)
        return `${request.path} ${n * this.factor}`
      })
    }
    expect(await worker.run(21)).toBe("double 42")
    expect(() => request.id).toThrow(NoTaskError)
  })

  it("of an effect has a fresh id at each run", () =>
    Effect.gen(function*() {
      const job = jobContext("nightly")(Effect.gen(function*() {
        yield* Effect.sleep(1)
        return [request.id, request.path]
      }))
      const [[one, path], [two]] = yield* Effect.all([job, job], { concurrency: 2 })
      expect(path).toBe("nightly")
      expect(one).toMatch(/^JOB[A-Za-z0-9]{6}$/)
      expect(two).not.toBe(one)
    }).pipe(bridged, Effect.runPromise))
})

describe("misuse", () => {
  it("of wrapAsync and wrapGather starts nothing", () => {
    let started = 0
    expect(() => wrapAsync(undefined as never)).toThrow(TypeError)
    expect(() => wrapGather(async () => started++, 7 as never)).toThrow(/wrapGather takes functions/)
    expect(started).toBe(0)
  })

  it("of jobContext says what it takes", () => {
    expect(() => jobContext(7 as never)).toThrow(/jobContext takes the job's name/)
    expect(() => jobContext("job")(7 as never)).toThrow(/jobContext takes a function or an effect/)
  })
})
