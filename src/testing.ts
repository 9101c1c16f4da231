export * from "./internal/testing/isolation.js"
