import { describe, expect, it } from "@effect/vitest"
import { jobContext, Local, request, withContext, wrapAsync, wrapGather } from "aiocontext/compat/aiolocals"
import { Effect } from "effect"
import { bridged, sleep } from "../../support.js"

describe("the documentation's examples", () => {
  it("a simple example: state is tracked across all functions of the task", async () => {
    const lines: Array<string> = []
    const foo = new Local<{ bar: string }>()
    const doNothing = async () => {
      await sleep(1)
      lines.push(`foo.bar is ${foo.bar}`)
    }
    await withContext({ locals: [foo] }, async () => {
      foo.bar = "baz"
      await doNothing()
    })
    expect(lines).toEqual(["foo.bar is baz"])
  })

  it("the same, in a fiber", () => {
    const lines: Array<string> = []
    const foo = new Local<{ bar: string }>()
    const doNothing = Effect.gen(function*() {
      yield* Effect.sleep(1)
      lines.push(`foo.bar is ${foo.bar}`)
    })
    return withContext(
      { locals: [foo] },
      Effect.gen(function*() {
        foo.bar = "baz"
        yield* doNothing
      })
    ).pipe(bridged, Effect.runPromise).then(() => expect(lines).toEqual(["foo.bar is baz"]))
  })

  it("job tracking: every run of a job has an id", async () => {
    const lines: Array<string> = []
    const myjob = jobContext("myjob")(async () => {
      await sleep(1)
      lines.push(`job complete: ${request.id}`)
    })
    await Promise.all([myjob(), myjob()])
    expect(lines[0]).toMatch(/^job complete: JOB[A-Za-z0-9]{6}$/)
    expect(lines[1]).toMatch(/^job complete: JOB[A-Za-z0-9]{6}$/)
    expect(lines[0]).not.toBe(lines[1])
  })

  it("state tracking across tasks: wrapAsync and wrapGather hand the context on", () => {
    const foo = new Local<{ bar: string }>()
    const read = async () => {
      await sleep(1)
      return foo.bar
    }
    return withContext({ locals: [foo] }, async () => {
      foo.bar = "baz"
      expect(await wrapAsync(read)).toBe("baz")
      expect(await wrapGather(read, () => foo.bar, async () => 3)).toEqual(["baz", "baz", 3])
    })
  })
})

// The library has no published test suite; its documentation (https://docs.atlassian.com/aiolocals/: Usage, API, Changelog)
// is translated above. Of its behaviours these have no counterpart:
//
// - preserve_context_in_threads: JavaScript runs promise code and fibers on one thread, and a worker shares no objects.
// - Context as a value, with ident, parent, cleanup and `with`: what a context covers is the code it is given.
// - Local.noisy and Context.noisy, which log every entry and exit.
// - AttributeError for a missing attribute: it is `undefined`. ValueError outside a context: NoTaskError.
// - a local that the context does not list: the library lets it be used and keeps what it holds for good (its own changelog
//   has such a leak); here it throws, as outside a context.
// - leaving a nested context ends the outer one's tracking in the library; here the outer state is there again.
// - wrap_gather's return_exceptions and cancel(): Promise.allSettled and an AbortSignal are JavaScript's.
// - LogConfiguration, syslog, process titles: `pino`, or a Logger of Effect, stands for them.
