/**
 * Runs the isolation test on everything of ours that is concurrent: the examples and the demo's server (test/testing/
 * subjects.ts), and the core's own tests, each body as a handler (test/testing/runner.ts). 1,000 seeds in a row, or as
 * many as `AIOCONTEXT_SEEDS` says; arguments pick the subjects and test files whose name contains one. Fails when anything
 * is found, and when an exception in test/testing/not-requests.ts is no longer one.
 */
import Table from "cli-table3"
import { fileURLToPath } from "node:url"
import type { TestCase } from "vitest/node"
import { startVitest } from "vitest/node"
import { notRequests } from "../test/testing/not-requests.js"
import type { AsRequests } from "../test/testing/runner.js"
import { demo, subjects } from "../test/testing/subjects.js"
import { onSources } from "../vitest.config.js"

const picked = process.argv.slice(2)
const seeds = process.env["AIOCONTEXT_SEEDS"] ??= "1000"

const isPicked = (name: string): boolean => picked.length === 0 || picked.some((part) => name.includes(part))

const table = new Table({
  head: ["subject", "tests", "seeds", "requests", "steps", "seconds"],
  style: { head: [], border: [] }
})

const failures: Array<string> = []

const measure = async (name: string, test: () => ReturnType<typeof demo>): Promise<void> => {
  const start = performance.now()
  try {
    const report = await test()
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    table.push([name, "", report.seeds.length, report.requests, report.steps, seconds])
    console.log(`${name}: ${report.seeds.length} seeds passed in ${seconds} seconds`)
  } catch (error) {
    failures.push(`${name}\n${error instanceof Error ? error.message : String(error)}`)
    console.log(`${name}: failed`)
  }
}

const runSubjects = async (): Promise<void> => {
  for (const [name, subject] of Object.entries(subjects)) {
    if (isPicked(name)) {
      await measure(name, () => subject({ requests: 6 }))
    }
  }
  if (picked.length === 0) {
    await measure("the demo's handler, 200 requests", () => demo({ requests: 200, seeds: [1] }))
  }
}

// -----------------------------------------------------------------------------------------------------------------
// the core's tests
// -----------------------------------------------------------------------------------------------------------------

const root = fileURLToPath(new URL("..", import.meta.url))

interface Meta {
  readonly asRequests?: AsRequests
  readonly exception?: string
}

const runTests = async (): Promise<void> => {
  const exceptions = new Set<string>()
  const files = new Map<string, Array<AsRequests>>()
  const report = (test: TestCase): void => {
    const file = test.module.moduleId.slice(root.length)
    const { asRequests, exception } = test.meta() as Meta
    if (!test.ok()) {
      const errors = test.result().errors ?? []
      failures.push(`${file} > ${test.fullName}\n${errors.map(({ message }) => message).join("\n")}`)
    } else if (asRequests !== undefined) {
      files.set(file, [...files.get(file) ?? [], asRequests])
    } else if (exception !== undefined) {
      exceptions.add(exception)
    } else if (test.result().state !== "skipped") {
      failures.push(`${file} > ${test.fullName}: did not run as a request`)
    }
  }
  const vitest = await startVitest("test", picked, {
    root,
    config: false,
    include: [
      "test/*.test.ts",
      "test/{annotations,attack,bridge,cost,errors,fork,map,promise,region}/*.test.ts",
      "test/compat/aiocontext.test.ts"
    ],
    sequence: { concurrent: true },
    server: { deps: { inline: [/aiocontext/] } },
    runner: "./test/testing/runner.ts",
    // all tests of a file start at once, and so are requests of the same runs
    maxConcurrency: 10_000,
    maxWorkers: 2,
    passWithNoTests: true,
    watch: false,
    reporters: [{
      onTestCaseResult: report,
      onTestModuleEnd: (module) => {
        const file = module.moduleId.slice(root.length)
        failures.push(...module.errors().map(({ message }) => `${file}: ${message}`))
        console.log(`${file}: ${module.ok() ? "passed" : "failed"}`)
      }
    }]
  }, onSources)
  await vitest.close()
  for (const [file, tests] of Array.from(files).toSorted()) {
    const batches = Array.from(new Map(tests.map((test) => [test.batch, test])).values())
    const sum = (of: (batch: AsRequests) => number) => batches.reduce((total, batch) => total + of(batch), 0)
    table.push([
      file,
      tests.length,
      seeds,
      sum(({ requests }) => requests),
      sum(({ steps }) => steps),
      sum(({ seconds }) => seconds).toFixed(1)
    ])
  }
  if (picked.length === 0) {
    const gone = Object.keys(notRequests).filter((start) => !exceptions.has(start))
    failures.push(...gone.map((start) => `test/testing/not-requests.ts: no test begins with "${start}"`))
  }
}

await Promise.all([runSubjects(), runTests()])
console.log(table.toString())
failures.forEach((failure) => console.error(`\n${failure}`))
process.exitCode = failures.length === 0 ? 0 : 1
