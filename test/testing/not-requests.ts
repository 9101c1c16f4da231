/**
 * The tests of the core that `npm run test:isolation` does not run as requests, and why: by the start of their file and
 * title. All others run as requests, new ones too.
 */
export const notRequests: Readonly<Record<string, string>> = {
  "test/architecture.test.ts": "reads the sources and runs nothing",
  "test/copies.test.ts": "loads the package anew, for the whole process",
  "test/errors.test.ts": "pins messages and ends the process's tasks; nothing in it runs beside something else",
  "test/loading.test.ts": "runs in a process of its own",
  "test/memory.test.ts": "measures the heap",
  "test/values.test.ts": "nothing in it runs beside something else",
  "test/attack/imperative.test.ts > what a step sets > costs the same": "measures real time",
  "test/attack/one-fiber.test.ts": "nothing in it runs beside something else",
  "test/bridge.test.ts > the bridge > lets others go on":
    "its order is that of Effect's own scheduler, whose place the kit takes",
  "test/bridge.test.ts > what imperative code sets > costs the same": "takes as long as a thousand requests"
}
