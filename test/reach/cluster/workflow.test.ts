/** A workflow whose process is killed in the middle, and which another process goes on with. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { id, otherId } from "../request.js"
import type { As, Started } from "./app.js"
import { elsewhere, folder } from "./runners.js"

const a: As = { id, tenant: "a", roles: ["x"], retries: 3, token: "secret-of-a" }
const b: As = { id: otherId, tenant: "b", roles: ["y"], retries: 4, token: "secret-of-b" }

const travelsOfA = { id, tenant: "a", roles: ["x"], locale: "en", retries: 0 }

const steps = async (runner: Pick<Started, "call">) =>
  (await runner.call("steps", undefined)).map((row) => ({ ...row, seen: JSON.parse(row.seen) as unknown }))

const until = async (runner: Pick<Started, "call">, step: string): Promise<void> => {
  while (!(await steps(runner)).some((row) => row.step === step)) {
    await new Promise((done) => setTimeout(done, 50))
  }
}

describe("a workflow", () => {
  it.scopedLive(
    "that A executes, whose process is killed, and which another process resumes under B: A everywhere, B nowhere",
    () =>
      Effect.gen(function*() {
        const options = { decorated: true, storage: { sqlite: `${yield* folder}/cluster.db` } }
        const first = yield* elsewhere(options)
        const executionId = yield* Effect.promise(() => first.call("start", a, "o-1"))
        yield* Effect.promise(() => until(first, "after the sleep"))
        yield* Effect.promise(() => first.kill())

        const second = yield* elsewhere(options)
        yield* Effect.promise(() => second.call("pay", b, executionId, "b"))
        expect(yield* Effect.promise(() => second.call("execute", b, "o-1"))).toBe("b")

        const all = yield* Effect.promise(() => steps(second))
        expect(all.map(({ seen }) => seen)).toEqual(all.map(() => travelsOfA))
        const of = (pid: number) => new Set(all.filter(({ process }) => process === pid).map(({ step }) => step))
        expect(of(first.pid)).toEqual(new Set(["run", "reserve", "after the sleep"]))
        // the activity that was done is not done again; what is around it is
        expect(of(second.pid)).toEqual(new Set(["run", "after the sleep", "ship", "parcel", "end"]))
      }),
    300_000
  )
})
