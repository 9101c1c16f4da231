import { Effect } from "effect"
import { Writable } from "node:stream"
import { setImmediate, setTimeout } from "node:timers/promises"
import winston from "winston"
import type { Check, Scenario } from "../harness/scenario.js"

interface Line {
  readonly message: string
  readonly request_id?: string
  readonly work: number
}

export const scenario: Scenario = {
  library: "winston",
  packages: ["winston"],
  start: ({ currentId }) => {
    const lines: Array<Line> = []
    const stream = new Writable({
      write: (chunk, _, done) => {
        lines.push(JSON.parse(String(chunk)))
        // a slow transport: the lines wait for each other
        void setImmediate().then(() => done())
      }
    })
    const withRequest = winston.format((info) => Object.assign(info, { request_id: currentId() }))
    const logger = winston.createLogger({
      format: winston.format.combine(withRequest(), winston.format.json()),
      transports: [new winston.transports.Stream({ stream })]
    })
    const works: Array<Check> = []
    const late: Array<Promise<unknown>> = []
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
        const finished = new Promise((resolve) => stream.on("finish", resolve))
        logger.on("finish", () => stream.end())
        logger.end()
        await finished
        lines.forEach(({ message, request_id, work }) => works[work]!.saw(message, request_id))
      }
    }
  },
  expected: {}
}
