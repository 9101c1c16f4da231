/**
 * The bridge for the whole process, from its first line on: `node --import aiocontext/register app.js`, or the first import of
 * the program. No layer is needed then, and no order of layers matters.
 *
 * What is started with a default runtime is under the bridge: `Effect.runPromise`, `NodeRuntime.runMain`, a `ManagedRuntime`
 * and all that it runs, `Schema.decodePromise`; also where a program requires another copy of Effect. Costs what
 * `compat.layer` costs, in every fiber.
 *
 * Worker threads inherit `--import` in Node. Elsewhere a worker's file imports this module first: Bun and Deno do not hand
 * their `--preload` on.
 *
 * @since 1.0.0
 * @module
 */
import { openBridge } from "./internal/task/defaults.js"

openBridge()
