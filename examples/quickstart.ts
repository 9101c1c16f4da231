import { Effect } from "effect"
import { context, ContextLayer, Ctx } from "aiocontext"

// legacy promise code: it knows nothing of Effect
const audit = async () => {
  await new Promise((resolve) => setTimeout(resolve, 1))
  context.set("audited", true)
  return `Request ID: ${context.get("request_id", "unknown")}`
}

const program = Effect.gen(function*() {
  yield* Ctx.set("request_id", 42)
  const line = yield* Effect.promise(() => audit())
  console.log(line)                          // Request ID: 42
  console.log(yield* Ctx.get("audited"))     // true
})

Effect.runPromise(program.pipe(Effect.provide(ContextLayer)))
