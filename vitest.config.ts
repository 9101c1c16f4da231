import { defineConfig } from "vitest/config"

/** Tests run on the sources. */
export const onSources = {
  resolve: { conditions: ["@aiocontext/source"] },
  ssr: { resolve: { conditions: ["@aiocontext/source", "node", "module"] } }
}

// these start processes, or take the place of the clock
const heavy = ["test/{docs,register,testing}/**/*.test.ts", "test/reach/cluster/*.test.ts"]

// these measure the heap, and leave fibers and their bridges behind
const cost = ["test/cost/**/*.test.ts"]

// loads the package anew
const copies = ["test/copies.test.ts"]

// shows defects of Effect alone, whose default runtime must be as it is without the library
const findings = ["test/docs/findings.test.ts"]

export default defineConfig({
  ...onSources,
  test: {
    sequence: { concurrent: true },
    // a slow machine is no failure
    testTimeout: 60_000,
    maxWorkers: "100%",
    server: { deps: { inline: [/aiocontext/] } },
    // loading Effect takes longer than most files: those of one project share processes
    poolOptions: { forks: { execArgv: ["--expose-gc"], isolate: false } },
    projects: [
      {
        extends: true,
        test: {
          name: "topics",
          include: ["test/**/*.test.ts"],
          exclude: ["test/package/**", ...heavy, ...cost, ...copies]
        }
      },
      { extends: true, test: { name: "heavy", include: heavy, exclude: findings } },
      { extends: true, test: { name: "cost", include: cost } },
      { extends: true, test: { name: "copies", include: copies } },
      { extends: true, test: { name: "findings", include: findings } }
    ]
  }
})
