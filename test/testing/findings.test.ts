import { describe, expect, it } from "@effect/vitest"
import { isolationTest } from "aiocontext/testing"
import type { DefaultValues, IsolationError, TestRequest } from "aiocontext/testing"
import { Deferred, Effect } from "effect"
import { errorOf } from "./errors.js"

/** The shrunk run that a failed test prints, as a reader copies it. */
const printedReplay = ({ message }: IsolationError): string =>
  /isolationTest\(subject, \{ replay: "(.*)" \}\)/.exec(message)?.[1] ?? "none printed"

describe.sequential("a printed replay gives", { timeout: 240_000 }, () => {
  let current = ""
  const subjects: Record<string, (request: TestRequest<DefaultValues>) => Effect.Effect<unknown>> = {
    "a leak": (request) =>
      Effect.gen(function*() {
        current = request.values.user
        yield* request.wait
        yield* Effect.sleep(5)
        return request.observe(current)
      }),
    "what a subject throws": (request) =>
      Effect.gen(function*() {
        current = request.mark
        yield* request.wait
        if (current !== request.mark) {
          throw new RangeError("not mine")
        }
      })
  }
  for (const [name, subject] of Object.entries(subjects)) {
    it(`${name} again, byte for byte`, async ({ expect }) => {
      const first = await errorOf(isolationTest(subject))
      const again = await errorOf(isolationTest(subject, { replay: printedReplay(first) }))
      expect(first.finding.trace.length).toBeGreaterThan(3)
      expect(again.finding.trace.join("\n")).toBe(first.finding.trace.join("\n"))
      expect(again.finding.failure).toEqual(first.finding.failure)
      expect(printedReplay(again)).toBe(printedReplay(first))
      expect(again.finding.fibers.text).toBe(first.finding.fibers.text)
      await expect(first.message).toMatchFileSnapshot(`messages/found-${name.split(" ").at(-1)}.txt`)
      await expect(again.message).toMatchFileSnapshot(`messages/replayed-${name.split(" ").at(-1)}.txt`)
    })
  }
})

describe.sequential("the picture of a leak", () => {
  it("shows where it was seen, and whose it is", async () => {
    let current = ""
    const { finding, leak } = await errorOf(isolationTest((request) =>
      Effect.gen(function*() {
        current = request.values.user
        yield* Effect.sleep(5)
        return request.observe(current)
      })
    ))
    const seen = finding.fibers.events.find(({ kind }) => kind === "leak")
    expect(seen).toMatchObject({ other: leak?.owner, key: "user", value: leak?.value })
    expect(seen?.fiber.startsWith(`${leak?.reader} #`)).toBe(true)
    expect(finding.fibers.mermaid).toContain(
      `  rect rgb(254, 202, 202)\n  note over f0: sees ${leak?.owner}'s user = ${String(leak?.value)}\n  end\n`
    )
  })
})

describe.sequential("a run that never ends", { timeout: 240_000 }, () => {
  it("is shrunk to the requests that it takes", async () => {
    let held: Deferred.Deferred<void> | undefined
    const error = await errorOf(isolationTest(
      () =>
        Effect.gen(function*() {
          const before = held
          held = yield* Deferred.make<void>()
          // the second one waits for something that the first one has thrown away
          if (before !== undefined) {
            yield* Deferred.await(held)
          }
        }),
      {
        requests: 40,
        timeLimit: 2_000,
        reset: () => {
          held = undefined
        }
      }
    ))
    const { failure, found, shrunk } = error.finding
    expect(failure._tag).toBe("Stuck")
    expect(found.requests).toBe(40)
    expect(shrunk.requests).toBe(2)
    expect(shrunk.steps).toBeLessThan(found.steps)
    expect(error.message).toMatch(/^1 request did not end in time \(r\d+\)/)
    expect(error.message).toContain("raise timeLimit")
  })

  it("is given up when it has steps without end", async () => {
    const error = await errorOf(
      isolationTest(() => Effect.forever(Effect.yieldNow()), { requests: 4, timeLimit: 300 })
    )
    expect(error.finding.failure._tag).toBe("Stuck")
    expect(error.finding.shrunk.requests).toBe(1)
  })
})
