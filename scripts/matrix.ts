/**
 * Runs the tests and the demo on every runtime and every version of Effect that the package says it works on, and
 * prints one table. `npm run test:matrix -- NAME` runs the rows whose name contains NAME; `-- --list` prints the names.
 *
 * The runtimes are installed in `matrix`, each Effect in a folder of its own there, so that nothing of them reaches the
 * library's install.
 */
import Table from "cli-table3"
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"

const root = join(import.meta.dirname, "..")
const matrix = join(root, "matrix")

/** A test that a runtime cannot pass, through no fault of the library. */
interface Gap {
  /** The test's full name. */
  readonly test: string
  /** Its section in docs/runtimes.md. */
  readonly section: string
}

interface Row {
  readonly name: string
  /** The program, and what it needs before the file to run. */
  readonly command: ReadonlyArray<string>
  /** How the demo is run. */
  readonly demo: ReadonlyArray<string>
  /** Where the tree is; another one than the root has another Effect. */
  readonly folder: string
  /** The tests of the packed package that it runs, too: not with another Effect, which those install themselves. */
  readonly packaged: ReadonlyArray<string>
  readonly gaps: ReadonlyArray<Gap>
}

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly seconds: number
  readonly demo: "passed" | "failed" | "none"
  readonly failures: ReadonlyArray<string>
}

// -----------------------------------------------------------------------------------------------------------------
// the rows
// -----------------------------------------------------------------------------------------------------------------

const platform = `${process.platform}-${process.arch}`

const binary = (candidates: Record<string, string>): string => {
  const path = candidates[platform]
  if (path === undefined) {
    throw new Error(`The matrix has no runtimes for ${platform}: add them to matrix/package.json and scripts/matrix.ts`)
  }
  return join(matrix, "node_modules", path)
}

const packaged = {
  // needs `require`
  copies: "test/package/copies.test.ts",
  register: "test/package/register.test.ts"
}

const node = (major: number): Row => {
  const path = binary(Object.fromEntries(
    ["linux-x64", "linux-arm64", "darwin-arm64"].map((name) => [name, `node-${major}-${name}/bin/node`])
  ))
  return {
    name: `node ${major}`,
    command: [path],
    demo: ["npm", "run", "demo"],
    folder: root,
    packaged: [packaged.copies, packaged.register],
    gaps: []
  }
}

const bun = (): Row => {
  const path = binary({
    "linux-x64": "@oven/bun-linux-x64/bin/bun",
    "linux-arm64": "@oven/bun-linux-aarch64/bin/bun",
    "darwin-arm64": "@oven/bun-darwin-aarch64/bin/bun"
  })
  return {
    name: "bun",
    command: [path, "--bun"],
    demo: [path, "--conditions=@aiocontext/source", "examples/server.ts", "--demo"],
    folder: root,
    packaged: [packaged.register],
    gaps: []
  }
}

const deno = (): Row => {
  const path = binary({
    "linux-x64": "@deno/linux-x64-glibc/deno",
    "linux-arm64": "@deno/linux-arm64-glibc/deno",
    "darwin-arm64": "@deno/darwin-arm64/deno"
  })
  return {
    name: "deno",
    command: [path, "run", "-A"],
    demo: [
      path,
      "run",
      "-A",
      "--unstable-sloppy-imports",
      "--conditions=@aiocontext/source",
      "examples/server.ts",
      "--demo"
    ],
    folder: root,
    packaged: [packaged.register],
    gaps: []
  }
}

const effect = (version: string): Row => ({
  name: `effect ${version}`,
  command: [process.execPath],
  demo: ["npm", "run", "demo"],
  folder: join(matrix, `effect-${version}`, "tree"),
  packaged: [],
  gaps: []
})

const rows: ReadonlyArray<() => Row> = [
  ...[20, 22, 24, 26].map((major) => () => node(major)),
  bun,
  deno,
  ...["3.20", "3.21"].map((version) => () => effect(version))
]

// -----------------------------------------------------------------------------------------------------------------
// running
// -----------------------------------------------------------------------------------------------------------------

const minutes = 60_000

/** Where a row's Effect is installed, and the vitest that goes with it. */
const installOf = ({ folder }: Row): string => folder === root ? root : dirname(folder)

interface Ended {
  readonly code: number | null
  readonly output: string
}

const run = (
  [command, ...args]: ReadonlyArray<string>,
  options: { readonly cwd: string; readonly first?: string }
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const path = process.env["PATH"] ?? ""
    const child = spawn(command!, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: options.first === undefined ? path : options.first + delimiter + path },
      timeout: 10 * minutes
    })
    const chunks: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk))
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output: Buffer.concat(chunks).toString() }))
  })

const install = async (folder: string): Promise<void> => {
  if (existsSync(join(folder, "node_modules"))) {
    return
  }
  console.log(`installing ${folder.slice(root.length + 1)}`)
  const { code, output } = await run(["npm", "ci"], { cwd: folder })
  if (code !== 0) {
    throw new Error(`npm ci failed in ${folder}:\n${output}`)
  }
}

const copied = [
  "src",
  "test",
  "examples",
  "docs",
  "README.md",
  "CONTRIBUTING.md",
  "package.json",
  ".size-limit.json",
  "tsconfig.json",
  "vitest.config.ts"
]

/** Copies what the tests need, so that imports of `effect` find the one beside the copy. */
const copyTree = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  for (const name of copied) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

const without = (gaps: ReadonlyArray<Gap>): ReadonlyArray<string> =>
  gaps.length === 0
    ? []
    : ["--testNamePattern", `^(?!(${gaps.map(({ test }) => test.replaceAll(/\W/g, "\\$&")).join("|")})$)`]

const suite = async (row: Row, ...args: ReadonlyArray<string>): Promise<Omit<Outcome, "demo" | "seconds">> => {
  const folder = mkdtempSync(join(tmpdir(), "aiocontext-matrix-"))
  const file = join(folder, "report.json")
  const vitest = join(installOf(row), "node_modules/vitest/vitest.mjs")
  const command = [...row.command, vitest, "run", "--reporter=json", `--outputFile=${file}`, ...args]
  const { code, output } = await run([...command, ...without(row.gaps)], { cwd: row.folder })
  const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) as Report : undefined
  rmSync(folder, { recursive: true, force: true })
  if (report === undefined) {
    return { passed: 0, failed: 1, skipped: 0, failures: [`no report, exit code ${code}:\n${output}`] }
  }
  const failures = report.testResults.flatMap(({ assertionResults, message, name, status }) => {
    const failed = assertionResults.filter((result) => result.status === "failed")
    return status === "failed" && failed.length === 0
      ? [`${name}: ${message}`]
      : failed.map(({ failureMessages, fullName }) => `${fullName}: ${failureMessages[0]?.split("\n")[0]}`)
  })
  if (code !== 0 && failures.length === 0) {
    failures.push(`exit code ${code} with no failed test:\n${output}`)
  }
  return {
    passed: report.numPassedTests,
    // a file that does not load is a failure with no test in it
    failed: Math.max(report.numFailedTests, failures.length),
    skipped: report.numPendingTests,
    failures
  }
}

const runRow = async (row: Row): Promise<Outcome> => {
  const start = performance.now()
  const first = await suite(row)
  const second = row.packaged.length > 0
    ? await suite(row, "--config", "vitest.package.config.ts", ...row.packaged)
    : { passed: 0, failed: 0, skipped: 0, failures: [] }
  const failures = [...first.failures, ...second.failures]
  let demo: Outcome["demo"] = "none"
  if (existsSync(join(row.folder, "examples/server.ts"))) {
    const { code, output } = await run(row.demo, { cwd: row.folder, first: dirname(row.command[0]!) })
    demo = code === 0 ? "passed" : "failed"
    if (code !== 0) {
      failures.push(`the demo, exit code ${code}:\n${output}`)
    }
  }
  return {
    passed: first.passed + second.passed,
    failed: first.failed + second.failed,
    skipped: first.skipped + second.skipped,
    seconds: (performance.now() - start) / 1000,
    demo,
    failures
  }
}

const versionOf = async ({ command: [path] }: Row): Promise<string> =>
  (await run([path!, "--version"], { cwd: root })).output.match(/\d+\.\d+\.\d+/)?.[0] ?? "unknown"

const effectOf = (row: Row): string =>
  (JSON.parse(readFileSync(join(installOf(row), "node_modules/effect/package.json"), "utf8")) as {
    readonly version: string
  }).version

const main = async (): Promise<void> => {
  const wanted = process.argv.slice(2).join(" ")
  const all = rows.map((row) => row())
  if (wanted === "--list") {
    console.log(JSON.stringify(all.map(({ name }) => name)))
    return
  }
  const selected = all.filter(({ name }) => name.includes(wanted))
  if (selected.length === 0) {
    throw new Error(`No row is called ${wanted}. There are: ${all.map(({ name }) => name).join(", ")}`)
  }
  const table = new Table({
    head: ["runtime", "version", "effect", "passed", "failed", "skipped", "demo", "seconds"],
    style: { head: [], border: [] },
    colAligns: ["left", "left", "left", "right", "right", "right", "left", "right"]
  })
  const notes: Array<string> = []
  let failed = false
  await install(matrix)
  for (const row of selected) {
    if (row.folder !== root) {
      await install(installOf(row))
      copyTree(row.folder)
    }
    console.log(`running ${row.name}`)
    const outcome = await runRow(row)
    failed ||= outcome.failed > 0 || outcome.demo === "failed"
    table.push([
      row.command[0] === process.execPath ? "node" : row.name,
      await versionOf(row),
      effectOf(row),
      outcome.passed,
      outcome.failed,
      outcome.skipped,
      outcome.demo,
      outcome.seconds.toFixed(1)
    ])
    notes.push(
      ...row.gaps.map(({ section, test }) => `${row.name} skips "${test}": docs/runtimes.md, ${section}`),
      ...outcome.failures.map((failure) => `${row.name} fails ${failure}`)
    )
    if (row.folder !== root) {
      rmSync(row.folder, { recursive: true, force: true })
    }
  }
  console.log(table.toString())
  notes.forEach((note) => console.log(note))
  process.exitCode = failed ? 1 : 0
}

await main()
