/**
 * Isolated generators.
 */
import { hasProperty } from "effect/Predicate"
import { checkFunction, invalidArgument } from "../../internal/argument.js"
import { named } from "../../internal/task/bind.js"
import { currentOrProgram } from "../../internal/task/current.js"
import { bindingsOf, enter, makeCell } from "./held.js"

type AnyGenerator = Generator<any, any, any> | AsyncGenerator<any, any, any>

/**
 * Gives a generator, or an async one, a context of its own: a copy of the one that its function is called in. What its
 * body sets is not seen by the code that drives it, in whatever context that calls `next`, `return` or `throw`.
 *
 * PEP 550 has it so for all generators; PEP 567 for none. Here the context is a copy: what the driver sets later is not
 * seen by the body.
 *
 * @since 1.0.0
 * @category tasks
 */
export const isolate = <Args extends Array<unknown>, G extends AnyGenerator>(
  generatorFunction: (...args: Args) => G
): (...args: Args) => G => {
  checkFunction("isolate", generatorFunction)
  const isolated = function(this: unknown, ...args: Args): G {
    const cell = makeCell(bindingsOf(currentOrProgram("isolate")))
    const inside = <A>(f: () => A): A => enter(currentOrProgram("isolate"), cell, f)
    const generator = inside(() => generatorFunction.apply(this, args))
    if (!hasProperty(generator, "next") || !hasProperty(generator, "return") || !hasProperty(generator, "throw")) {
      throw invalidArgument(
        "isolate takes a generator function, as in isolate(function*() { … }), where the function gives a generator",
        generator
      )
    }
    const step = (name: "next" | "return" | "throw") => ({
      value: (...values: [unknown]) => inside(() => generator[name](...values)),
      configurable: true,
      writable: true
    })
    return Object.create(generator, { next: step("next"), return: step("return"), throw: step("throw") }) as G
  }
  return named(isolated, generatorFunction)
}
