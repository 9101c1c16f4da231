// A stream of a mailbox sleeps on beside a message, when it yields between its look and its wait.
import { Effect, Mailbox, Stream } from "effect"
import { hangs, places } from "./yields.js"

const messageUntaken = Effect.gen(function*() {
  const mailbox = yield* Mailbox.make<string>()
  const reader = yield* Effect.forkDaemon(Stream.runHead(Mailbox.toStream(mailbox)))
  // a stream takes two turns to begin
  const turns = Effect.repeatN(Effect.yieldNow(), 1)
  yield* Effect.forkDaemon(Effect.zipRight(turns, mailbox.offer("a message")))
  return yield* hangs(reader.await)
})

export const found: ReadonlyArray<number> = await places(messageUntaken)
console.log("a message that no stream has, by a yield before operation", found.join(" "))
