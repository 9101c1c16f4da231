import { defineConfig } from "vitest/config"

/** Tests run on the sources. */
export const onSources = {
  resolve: { conditions: ["@aiocontext/source"] },
  ssr: { resolve: { conditions: ["@aiocontext/source", "node", "import", "module", "default"] } }
}

// these measure the heap, start processes, or take the place of the clock
const heavy = ["test/{cost,docs,testing}/**/*.test.ts"]

// loads the package anew
const copies = ["test/copies.test.ts"]

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
        test: { name: "topics", include: ["test/**/*.test.ts"], exclude: ["test/package/**", ...heavy, ...copies] }
      },
      { extends: true, test: { name: "heavy", include: heavy } },
      { extends: true, test: { name: "copies", include: copies } }
    ]
  }
})
