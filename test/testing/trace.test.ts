import { describe, expect, it } from "@effect/vitest"
import { compat, Context } from "aiocontext"
import { trace } from "aiocontext/testing"
import { Deferred, Effect, Exit, Fiber } from "effect"

class Job extends Context.Tag("test/trace/Job")<Job, {
  readonly id: string
  readonly user?: string
}>({ join: "merge" }) {}
const job = compat.make(Job)

const program = Effect.gen(function*() {
  const gate = yield* Deferred.make<void>()
  const reader = yield* Effect.fork(Effect.gen(function*() {
    yield* Deferred.await(gate)
    yield* Job.set("user", "ann")
    yield* Effect.promise(async () => {
      await Promise.resolve()
      job.set("user", "bea")
    })
  }))
  const opener = yield* Effect.fork(Effect.zipRight(Effect.yieldNow(), Deferred.succeed(gate, undefined)))
  yield* Fiber.join(reader)
  yield* Fiber.join(opener)
  yield* Job.delete("user")
}).pipe(Job.provide({ id: "j-1" }))

describe("trace", () => {
  it.live("records attach, fork, set, suspend, resume and join, as data and as lines", () =>
    Effect.gen(function*() {
      const { exit, trace: { events, fibers, text } } = yield* trace(program)
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(fibers).toEqual(["#1", "#2", "#3"])
      expect(events[0]).toEqual({ kind: "attach", fiber: "#1", context: "test/trace/Job", value: { id: "j-1" } })
      expect(events).toContainEqual({ kind: "fork", fiber: "#2", other: "#1" })
      expect(events).toContainEqual({ kind: "resume", fiber: "#2", other: "#3" })
      expect(events).toContainEqual({ kind: "join", fiber: "#1", other: "#2" })
      const changes = events.filter(({ kind }) => kind === "set" || kind === "delete")
      expect(changes.map(({ fiber, key, kind, value }) => [fiber, kind, key, value])).toEqual([
        ["#2", "set", "user", "ann"],
        ["#2", "set", "user", "bea"],
        ["#1", "set", "user", "bea"],
        ["#1", "delete", "user", undefined]
      ])
      expect(text).toContain("#2 goes on, woken by #3\n#2 sets test/trace/Job user = ann\n#2 suspends")
      expect(events.at(-1)).toEqual({ kind: "detach", fiber: "#1", context: "test/trace/Job" })
    }).pipe(Effect.provide(compat.layer)))

  it.live("records a run that fails, and stops with it", () =>
    Effect.gen(function*() {
      const { exit, trace: { events } } = yield* trace(Effect.zipRight(Effect.sleep(1), Effect.fail("no")))
      expect(exit).toEqual(Exit.fail("no"))
      const recorded = events.length
      yield* Effect.fork(Effect.void)
      yield* Effect.sleep(1)
      expect(events).toHaveLength(recorded)
    }))

  it.live("writes a lane for each fiber as a Mermaid diagram", () =>
    Effect.gen(function*() {
      const { trace: { mermaid } } = yield* trace(program)
      expect(mermaid.split("\n").slice(0, 5)).toEqual([
        "sequenceDiagram",
        "  participant f0 as #35;1",
        "  participant f1 as #35;2",
        "  participant f2 as #35;3",
        "  note over f0: attach id = j-1"
      ])
      for (const line of ["f0->>f1: fork", "f2-)f1: wakes", "note over f1: user = ann", "f1-->>f0: join"]) {
        expect(mermaid).toContain(`  ${line}\n`)
      }
    }).pipe(Effect.provide(compat.layer)))

  it.live("draws a lane for each fiber, with its values", () =>
    Effect.gen(function*() {
      const { trace: { picture } } = yield* trace(program)
      const svg = yield* Effect.promise(picture)
      expect(svg.startsWith("<svg")).toBe(true)
      for (const text of ["#1", "#2", "#3", "user = ann", "user = bea", "delete user", "attach id = j-1"]) {
        expect(svg).toContain(text)
      }
    }).pipe(Effect.provide(compat.layer)))
})
