/**
 * The tests of the core that `npm run test:isolation` does not run as requests, and why: by the start of their file and
 * title. All others run as requests, new ones too.
 */
export const notRequests: Readonly<Record<string, string>> = {
  "test/architecture.test.ts": "reads the sources and runs nothing",
  "test/copies.test.ts": "loads the package anew, for the whole process",
  "test/cost/": "measures the heap, or runs in a process of its own",
  "test/errors/": "pins messages and ends the process's tasks; nothing in it runs beside something else",
  "test/map/keys.test.ts": "nothing in it runs beside something else",
  "test/map/values.test.ts": "nothing in it runs beside something else",
  "test/region/finalizers.test.ts": "nothing in it runs beside something else",
  "test/bridge/schedulers.test.ts > a scheduler > makes a fiber yield as often":
    "its order is that of Effect's own scheduler, whose place the kit takes",
  "test/bridge/steps.test.ts > what imperative code sets > costs the same": "takes as long as a thousand requests"
}
