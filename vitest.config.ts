import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["@aiocontext/source"] },
  ssr: { resolve: { conditions: ["@aiocontext/source", "node", "import", "module", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/package/**", "**/node_modules/**"],
    sequence: { concurrent: true },
    server: { deps: { inline: [/aiocontext/] } },
    poolOptions: { forks: { execArgv: ["--expose-gc"] } }
  }
})
