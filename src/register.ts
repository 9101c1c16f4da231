/**
 * The bridge for the whole process, from its first line on: `node --import aiocontext/register app.js`, or the first import of
 * the program. No layer is needed then, and no order of layers matters.
 *
 * What is started with a default runtime is under the bridge: `Effect.runPromise`, `NodeRuntime.runMain`, a `ManagedRuntime`
 * and all that it runs, `Schema.decodePromise`. A worker thread has a process of its own in this respect, and inherits
 * `--import`. Costs what `compat.layer` costs, in every fiber.
 *
 * @since 1.0.0
 * @module
 */
import { openBridge } from "./internal/task/defaults.js"

openBridge()
