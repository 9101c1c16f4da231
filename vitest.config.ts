import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["@aiocontext/source"] },
  ssr: { resolve: { conditions: ["@aiocontext/source", "node", "import", "module", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/package/**", "**/node_modules/**"],
    sequence: { concurrent: true },
    // a slow machine is no failure
    testTimeout: 60_000,
    server: { deps: { inline: [/aiocontext/] } },
    poolOptions: { forks: { execArgv: ["--expose-gc"] } }
  }
})
