import { EventEmitter } from "node:events"
import { context } from "../app-context.js"
import { log } from "./logger.js"

interface Events {
  readonly viewed: [number: string, done: (seen: string) => void]
}

/** One emitter for the whole process: its listeners run for whoever emits. */
export const events = new EventEmitter<Events>()

events.on("viewed", (number, done) => {
  queueMicrotask(() => {
    log(`order ${number}: viewed`)
    done(context.get("request_id"))
  })
})
