import { defineConfig } from "vitest/config"

// The tests of what is published: they build, pack and install the package, and take a browser.
export default defineConfig({
  test: {
    include: ["test/package/**/*.test.ts"],
    globalSetup: ["test/package/setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000
  }
})
