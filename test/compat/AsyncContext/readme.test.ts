import { describe, expect, it } from "@effect/vitest"
import { AsyncContext } from "aiocontext/compat/AsyncContext"
import { sleep, withResolvers } from "../../support.js"

describe("the README's examples", () => {
  it("AsyncContext.Variable: awaits, timers, nested runs", async () => {
    const lines: Array<unknown> = []
    const asyncVar = new AsyncContext.Variable<string>()
    const timers: Array<Promise<void>> = []
    const later = (f: () => void) => {
      timers.push(
        new Promise((resolve) =>
          setTimeout(() => {
            f()
            resolve()
          }, 1)
        )
      )
    }
    const log = () => lines.push(asyncVar.get())

    await asyncVar.run("top", async () => {
      await Promise.resolve()
      log()
      later(() => {
        log()
        asyncVar.run("A", () => {
          log()
          later(log)
        })
      })
      asyncVar.run("B", () => {
        log()
        later(log)
      })
      log()
    })
    for (let done = 0; done < timers.length; done++) {
      await timers[done]
    }
    expect(lines).toEqual(["top", "B", "top", "top", "A", "B", "A"])
  })

  it("AsyncContext.Snapshot: a snapshot against the run that encloses it", () => {
    const asyncVar = new AsyncContext.Variable<string>()
    const snapshot = asyncVar.run("A", () => new AsyncContext.Snapshot())
    const seen = asyncVar.run("B", () => [asyncVar.get(), snapshot.run(() => asyncVar.get())])
    expect(seen).toEqual(["B", "A"])
  })

  it("AsyncContext.Snapshot.wrap", () => {
    const asyncVar = new AsyncContext.Variable<string>()
    const fn = () => asyncVar.get()
    const wrappedFn = asyncVar.run("A", () => AsyncContext.Snapshot.wrap(fn))
    expect([fn(), wrappedFn()]).toEqual([undefined, "A"])
  })

  it("a library that queues callbacks behind one timer", async () => {
    const asyncVar = new AsyncContext.Variable<string>()
    const seen: Array<unknown> = []
    const fn = () => seen.push(asyncVar.get())
    const queue: Array<() => void> = []
    const { promise, resolve } = withResolvers()
    const defer = (callback: () => void) => {
      if (queue.length === 0) {
        setTimeout(() => {
          queue.splice(0).forEach((callback) => callback())
          resolve()
        }, 1)
      }
      queue.push(callback)
    }
    asyncVar.run("A", () => defer(fn))
    asyncVar.run("B", () => defer(fn))
    asyncVar.run("C", () => defer(AsyncContext.Snapshot.wrap(fn)))
    await promise
    expect(seen).toEqual(["A", "A", "C"])
  })

  it("Determine the initiator of a task", async () => {
    const asyncVar = new AsyncContext.Variable<{ readonly traceId: string; ended?: boolean }>()
    const click = (traceId: string) =>
      asyncVar.run({ traceId }, () =>
        sleep(1).then(() =>
          Promise.resolve().then(() => {
            const span = asyncVar.get()!
            span.ended = true
            return span
          })
        ))
    expect(await Promise.all(["t-1", "t-2"].map(click))).toEqual([
      { traceId: "t-1", ended: true },
      { traceId: "t-2", ended: true }
    ])
  })

  it("Transitive task attribution", async () => {
    const asyncVar = new AsyncContext.Variable<{ readonly priority: string }>()
    const scheduler = {
      postTask: <A>(task: () => A, options: { readonly priority: string }) => asyncVar.run(options, task),
      currentTask: () => asyncVar.get() ?? { priority: "default" }
    }
    const task = async () => {
      await sleep(1)
      return scheduler.currentTask()
    }
    expect(await scheduler.postTask(task, { priority: "background" })).toEqual({ priority: "background" })
    expect(scheduler.currentTask()).toEqual({ priority: "default" })
  })

  it("User-land queues", () => {
    const traceContext = new AsyncContext.Variable<string>()
    const lines: Array<unknown> = []
    const queue: Array<() => void> = []
    const postTask = (task: () => void) => {
      const snapshot = new AsyncContext.Snapshot()
      queue.push(() => snapshot.run(task))
    }
    const userAction = () => postTask(() => lines.push(traceContext.get()))
    traceContext.run("trace-id-a", userAction)
    traceContext.run("trace-id-b", userAction)
    queue.forEach((callback) => callback())
    expect(lines).toEqual(["trace-id-a", "trace-id-b"])
  })

  it("SCOPING.md: the variable is the key, whatever it is called", () => {
    const seen: Array<unknown> = []
    const asyncVar = new AsyncContext.Variable<number>()
    const g = () => seen.push(asyncVar.get())
    const f = () => {
      const asyncVar = new AsyncContext.Variable<number>()
      asyncVar.run(2, g)
      asyncVar.run(2, () => seen.push(asyncVar.get()))
    }
    asyncVar.run(1, f)
    seen.push(asyncVar.get())
    expect(seen).toEqual([1, 2, undefined])
  })
})
