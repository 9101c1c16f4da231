// One fiber yields at one place, for five turns: what Effect has it do after 2,048 operations, wherever it is then.
import { Effect, Scheduler } from "effect"

class YieldsAt extends Scheduler.MixedScheduler {
  private yielding: unknown
  private turns = 5
  constructor(private place: number) {
    super(2048)
  }

  override shouldYield(fiber: unknown): number | false {
    if (--this.place === 0) {
      this.yielding = fiber
    }
    return this.yielding === fiber && this.turns-- > 0 ? 0 : false
  }
}

/** The places, by the number of operations before them, where a yield makes a program go wrong. */
export const places = async (goesWrong: Effect.Effect<boolean>, operations = 400): Promise<ReadonlyArray<number>> => {
  if (await Effect.runPromise(goesWrong)) {
    throw new Error("this goes wrong without a yield too")
  }
  const wrong: Array<number> = []
  for (let place = 1; place <= operations; place++) {
    if (await Effect.runPromise(Effect.withScheduler(goesWrong, new YieldsAt(place)))) {
      wrong.push(place)
    }
  }
  return wrong
}

/** Whether an effect has not ended after a while. */
export const hangs = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkDaemon(effect)
    yield* Effect.sleep(5)
    return fiber.unsafePoll() === null
  })
