import { Effect } from "effect"
import { Writable } from "node:stream"
import { setImmediate, setTimeout } from "node:timers/promises"
import { pino } from "pino"
import type { Check, Scenario } from "../harness/scenario.js"

interface Line {
  readonly msg: string
  readonly request_id?: string
  readonly work: number
}

export const scenario: Scenario = {
  library: "pino",
  packages: ["pino"],
  start: ({ currentId }) => {
    const lines: Array<Line> = []
    const destination = new Writable({
      write: (chunk, _, done) => {
        lines.push(JSON.parse(String(chunk)))
        done()
      }
    })
    const logger = pino({ mixin: () => ({ request_id: currentId() }) }, destination)
    const works: Array<Check> = []
    const late: Array<Promise<void>> = []
    const childOf = (check: Check) => logger.child({ work: works.push(check) - 1 })
    return {
      promises: async (check) => {
        const log = childOf(check)
        log.info("in a line")
        await setImmediate()
        log.info("in a line after an await")
        late.push(setTimeout(1).then(() => log.info("in a line after the request")))
      },
      effects: (check) =>
        Effect.gen(function*() {
          const log = childOf(check)
          log.info("in a line")
          yield* Effect.promise(() => setImmediate())
          log.info("in a line after an await")
          late.push(setTimeout(1).then(() => log.info("in a line after the request")))
        }),
      stop: async () => {
        await Promise.all(late)
        lines.forEach(({ msg, request_id, work }) => works[work]!.saw(msg, request_id))
      }
    }
  },
  expected: {}
}
