/** A runner in a process of its own: what one asks of it comes from the parent. */
import { type As, type Commands, type RunnerOptions, start } from "./app.js"

/** What the parent asks. */
export interface Asked {
  readonly number: number
  readonly name: keyof Commands
  readonly sender: As | undefined
  readonly args: ReadonlyArray<string>
}

/** What it is answered; without a number: the runner is ready. */
export interface Answered {
  readonly number?: number
  readonly value?: unknown
  readonly error?: string
}

const answer = (message: Answered): void => void process.send!(message)

const runner = start(JSON.parse(process.argv[2]!) as RunnerOptions)

process.on("message", ({ args, name, number, sender }: Asked) => {
  runner.call(name, sender, ...args as never).then(
    (value: unknown) => answer({ number, value }),
    (error: unknown) => answer({ number, error: String(error) })
  )
})
process.on("disconnect", () => process.exit())

await runner.ready()
answer({})
