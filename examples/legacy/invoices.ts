import { context } from "../app-context.js"
import { log } from "./logger.js"

const sleep = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Prices an order: plain async code, that keeps its request across each await, and tells the fiber something. */
export const priceOrder = async (number: string): Promise<ReadonlyArray<string>> => {
  const seen = [context.get("request_id")]
  await sleep(Math.random() * 2)
  seen.push(context.get("request_id"))
  context.set("priced_for", context.get("request_id"))
  await Promise.resolve()
  seen.push(context.get("request_id"))
  log(`order ${number}: priced`)
  return seen
}

/** Archives an order some time after the request is answered: the timer outlives its request. */
export const archiveLater = (number: string): void => {
  setTimeout(() => log(`order ${number}: archived`), 5 + Math.random() * 5)
}
