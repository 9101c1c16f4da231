import { describe, expect, it } from "@effect/vitest"
import { compat } from "aiocontext"
import * as aiotask from "aiocontext/compat/aiotask"
import { chainmapTaskFactory, copyingTaskFactory, taskFactory } from "aiocontext/compat/aiotask"
import { Effect, Fiber } from "effect"
import { bridged } from "../../support.js"

const { all, fork } = compat

describe("the examples of the README", () => {
  it("shares the request id", () => {
    const lines: Array<string> = []
    const print = (line: string) => lines.push(line)
    const one = async () => print(aiotask.get("request_id", "Unknown"))
    const two = async () => {
      print(aiotask.get("request_id", "Unknown"))
      await one()
    }
    const three = async () => {
      aiotask.set("request_id", "1234")
      await two()
    }
    return aiotask.run(three).then(() => expect(lines).toEqual(["1234", "1234"]))
  })

  it("keeps the context between gathered tasks", () => {
    const lines: Array<string> = []
    const print = (line: string) => lines.push(line)
    const zero = async () => print("0: " + aiotask.get("status"))
    const one = async () => aiotask.set("status", "DONE")
    const two = async () => {
      aiotask.set("status", "RUNNING")
      print("2: " + aiotask.get("status"))
      await all([one, zero])
      print("2: " + aiotask.get("status"))
    }
    return aiotask.run(two, taskFactory).then(() => expect(lines).toEqual(["2: RUNNING", "0: DONE", "2: DONE"]))
  })

  for (const factory of [copyingTaskFactory, chainmapTaskFactory]) {
    it(`does not reflect a child's context in other tasks, with ${factory.name}`, () => {
      const lines: Array<string> = []
      const print = (line: string) => lines.push(line)
      const zero = async () => {
        aiotask.set("status", "FAILED")
        print("0: " + aiotask.get("status"))
      }
      const child = async () => print("1 (child): " + aiotask.get("status"))
      const one = async () => {
        aiotask.set("status", "PENDING")
        print("1: " + aiotask.get("status"))
        await child()
      }
      const spawner = async () => {
        aiotask.set("status", "RUNNING")
        print("2: " + aiotask.get("status"))
        await all([one, zero])
        print("2: " + aiotask.get("status"))
      }
      return aiotask.run(spawner, factory).then(() =>
        expect(lines).toEqual(["2: RUNNING", "1: PENDING", "1 (child): PENDING", "0: FAILED", "2: RUNNING"])
      )
    })
  }

  const expected: Record<string, string> = {
    taskFactory: `Using taskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from child, complex=["from","child"]`,
    copyingTaskFactory: `Using copyingTaskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from parent, complex=["from","parent"]`,
    chainmapTaskFactory: `Using chainmapTaskFactory
parent before: simple=from parent, complex=["from","parent"]
child: simple=from child, complex=["from","child"]
parent after: simple=from parent, complex=["from","child"]`
  }

  for (const factory of [taskFactory, copyingTaskFactory, chainmapTaskFactory]) {
    const line = (title: string) =>
      `${title}: simple=${aiotask.get("simple")}, complex=${JSON.stringify(aiotask.get("complex"))}`
    const start = () => {
      aiotask.set("simple", "from parent")
      aiotask.set("complex", ["from", "parent"])
    }
    const change = () => {
      aiotask.set("simple", "from child")
      aiotask.get<Array<string>>("complex")![1] = "child"
    }

    it(`compares the task factories: ${factory.name}, in promise tasks`, () =>
      aiotask.run(async () => {
        const lines = [`Using ${factory.name}`]
        start()
        lines.push(line("parent before"))
        await fork(async () => {
          change()
          lines.push(line("child"))
        })
        lines.push(line("parent after"))
        expect(lines.join("\n")).toBe(expected[factory.name])
      }, factory))

    it(`compares the task factories: ${factory.name}, in fibers`, () =>
      aiotask.run(
        Effect.gen(function*() {
          const lines = [`Using ${factory.name}`]
          start()
          lines.push(line("parent before"))
          yield* Fiber.join(
            yield* Effect.fork(Effect.sync(() => {
              change()
              lines.push(line("child"))
            }))
          )
          lines.push(line("parent after"))
          expect(lines.join("\n")).toBe(expected[factory.name])
        }),
        factory
      ).pipe(bridged, Effect.runPromise))
  }
})
