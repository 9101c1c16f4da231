/**
 * Runs one scenario in every way, each with the library started anew.
 */
import type { Servers } from "../servers/servers.js"
import type { Check, Scenario, Tools } from "./scenario.js"
import type { Counts } from "./tally.js"
import { Tally } from "./tally.js"
import type { Way } from "./ways.js"
import { makeBare, makeEffect } from "./ways.js"

/** What a scenario's process sends. */
export interface Measured {
  readonly bare: Counts
  readonly effect: Counts
  readonly woken: Counts
  readonly bridge: Counts
}

export const requests = 200

const idOf = (number: number): string => `request-${number}`

/** Starts the library, makes all requests at once, and stops it. */
const runIn = async (scenario: Scenario, servers: Servers, way: Way): Promise<{ first: Counts; woken: Counts }> => {
  const first = new Tally()
  // only Effect alone makes a difference there
  const woken = way.name === "effect" ? new Tally() : first
  const checkOf = (tally: Tally, id: string): Check => tally.checkOf(id, way.seen)
  const run: Tools["run"] = async (id, code) => {
    await way.run(code, checkOf(first, id), checkOf(woken, id))
  }
  const started = await scenario.start({ ...way, servers, run, checkOf: (id) => checkOf(first, id) })
  const request = "request" in started
    ? started.request
    : (id: string) => way.enter(id, () => run(id, started))
  await Promise.all(Array.from({ length: requests }, (_, number) => request(idOf(number))))
  await started.stop()
  await way.close()
  return { first: first.counts, woken: woken.counts }
}

export const runScenario = async (scenario: Scenario, servers: Servers): Promise<Measured> => {
  const bare = await runIn(scenario, servers, makeBare(requests))
  const effect = await runIn(scenario, servers, makeEffect(requests))
  // nothing of the library is loaded before
  const { makeBridge } = await import("./bridge.js")
  const bridge = await runIn(scenario, servers, await makeBridge(requests))
  return { bare: bare.first, effect: effect.first, woken: effect.woken, bridge: bridge.first }
}
