// A take that yields between its look and its wait sleeps on: the message came in between, and so did the wake-up.
import { Effect, Mailbox } from "effect"
import { hangs, places } from "./yields.js"

const messageUntaken = Effect.gen(function*() {
  const mailbox = yield* Mailbox.make<string>()
  const taker = yield* Effect.forkDaemon(mailbox.take)
  yield* Effect.forkDaemon(mailbox.offer("a message"))
  return yield* hangs(taker.await)
})

export const found: ReadonlyArray<number> = await places(messageUntaken)
console.log("a message that nobody takes, by a yield before operation", found.join(" "))
