import { context } from "../app-context.js"
import { log } from "./logger.js"

export interface Order {
  readonly number: string
  readonly customer: string
  /** The request that each line of the repository ran for. */
  readonly seen: ReadonlyArray<string>
}

type Callback<A> = (error: Error | undefined, value?: A) => void

/** Finds an order, in the callback style: two trips to a store that answers when it likes. */
export const findOrder = (number: string, callback: Callback<Order>): void => {
  const seen = [context.get("request_id")]
  setTimeout(() => {
    log(`order ${number}: found`)
    seen.push(context.get("request_id"))
    setImmediate(() => {
      seen.push(context.get("request_id"))
      callback(undefined, { number, customer: `customer ${number}`, seen })
    })
  }, Math.random() * 3)
}
