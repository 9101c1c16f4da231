/**
 * The process of one scenario: a library may change the whole process, as tracers do.
 */
import { runScenario } from "./run-scenario.js"
import type { Scenario } from "./scenario.js"

const [file, servers] = process.argv.slice(2)
const { scenario } = await import(`../scenarios/${file}`) as { readonly scenario: Scenario }
const measured = await runScenario(scenario, JSON.parse(servers!))
// ended here, so that what a library leaves open does not keep the run waiting
process.send!(measured, undefined, undefined, () => process.exit(0))
