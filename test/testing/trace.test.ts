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

  it.live("draws a lane for each fiber as a Mermaid diagram, with who wakes whom", () =>
    Effect.gen(function*() {
      const { trace: { mermaid } } = yield* trace(program)
      expect(mermaid.split("\n").map((line) => line.trim())).toEqual([
        "sequenceDiagram",
        "participant f0 as #35;1",
        "participant f1 as #35;2",
        "participant f2 as #35;3",
        "activate f0",
        "note over f0: attach<br/>id = j-1",
        "f0->>f1: fork",
        "f0->>f2: fork",
        "deactivate f0",
        "activate f1",
        "deactivate f1",
        "activate f2",
        "deactivate f2",
        "activate f2",
        "deactivate f2",
        "note over f2: ends",
        "f2-)f1: wakes",
        "activate f1",
        "note over f1: user = ann",
        "deactivate f1",
        "activate f1",
        "note over f1: user = bea",
        "deactivate f1",
        "note over f1: ends",
        "f1-)f0: wakes",
        "activate f0",
        "f1-->>f0: join",
        "note over f0: user = bea",
        "deactivate f0",
        "activate f0",
        "f2-->>f0: join",
        "note over f0: delete user",
        "note over f0: detach test/trace/Job",
        "deactivate f0"
      ])
    }).pipe(Effect.provide(compat.layer)))
})
