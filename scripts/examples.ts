/**
 * Compiles and runs every `ts` block of the doc comments in src, of docs/*.md and of README.md, and compares what it
 * prints with what it says that it prints. Arguments pick the blocks whose place, as in `docs/guide/2`, contains one.
 *
 * - A block is a program of its own, with all its imports.
 * - It prints exactly what it says, in that order: `// => text`, on a line of its own or at the end of one, or any
 *   comment at the end of a `console.log` line. `…` in such a text stands for anything.
 * - A block "text printed by name.ts" after it says the rest of what it prints, where "name.ts" is the program's own path.
 * - A block that imports vitest is a test file, and passes.
 * - A line that must not compile carries `// @ts-expect-error`.
 * - A block that changes the process for good, as `aiocontext/register` and some tracers do, is marked "ts alone", and
 *   runs in a process of its own. So does a test file of node:test, which passes.
 * - Code of another library, which is only there to be compared with, is marked "ts foreign" and left alone.
 *
 * All blocks are checked in one program. All others run in one process, each after the one before has nothing left to do;
 * test files are run by one vitest.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { format } from "node:util"
import ts from "typescript"
import { startVitest } from "vitest/node"
import { onSources } from "../vitest.config.js"

interface Example {
  readonly source: string
  /** The line of the source that the block's first line is on, counted from 1. */
  readonly line: number
  readonly code: string
  readonly says: ReadonlyArray<string>
  /** What the program's own path is called in what it says. */
  readonly name: string
  /** The program written out. */
  readonly path: string
  /** Whether it has a process of its own. */
  readonly alone: boolean
}

const root = fileURLToPath(new URL("..", import.meta.url))
// in the package's own folder, so that "aiocontext" names the package
const folder = join(root, ".examples")
const site = join(root, "docs/site")
const millisPerExample = 20_000
const millisPerProcess = 60_000

// -----------------------------------------------------------------------------------------------------------------
// finding them
// -----------------------------------------------------------------------------------------------------------------

const filesUnder = (path: string, extension: string): ReadonlyArray<string> =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const inner = join(path, entry.name)
    if (inner === site) {
      return []
    }
    return entry.isDirectory() ? filesUnder(inner, extension) : inner.endsWith(extension) ? [inner] : []
  }).toSorted()

/** The lines of a file that can hold a block; all others are blank, so that lines keep their numbers. */
const linesOf = (path: string): ReadonlyArray<string> => {
  const text = readFileSync(path, "utf8")
  if (path.endsWith(".md")) {
    return text.split("\n")
  }
  const blank = (code: string) => code.replace(/[^\n]/g, "")
  let end = 0
  let docs = ""
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    docs += blank(text.slice(end, comment.index)) + comment[0].slice(3, -2).replace(/^[ \t]*\* ?/gm, "")
    end = comment.index + comment[0].length
  }
  return docs.split("\n")
}

const fence = /^(\s*)(`{3,})(?:ts|typescript)\b\s*(.*)$/

const printedFence = /^\s*(`{3,})text printed by (\S+)$/

/** What a block after the one that ends at a line says that it prints. */
const printedAfter = (lines: ReadonlyArray<string>, end: number) => {
  const next = lines.findIndex((line, i) => i > end && /^\s*`{3,}/.test(line))
  const [, ticks, name] = printedFence.exec(lines[next] ?? "") ?? []
  const last = lines.findIndex((line, i) => i > next && line.trim() === ticks)
  return ticks === undefined ? undefined : { name: name!, says: lines.slice(next + 1, last) }
}

const saysOf = (line: string): ReadonlyArray<string> => {
  const said = /\/\/ => ?(.*)$/.exec(line) ?? /console\.log\(.*\)\s*\/\/ (?!@ts-)(.*)$/.exec(line)
  return said === null ? [] : [said[1]!.trimEnd()]
}

const isNodeTest = ({ code }: Example): boolean => /^import .* from "node:test"/m.test(code)

const isTest = (code: ReadonlyArray<string>): boolean =>
  code.some((line) => /^import .* from "(@effect\/|aiocontext\/testing\/)?vitest"/.test(line))

const examplesIn = (path: string): ReadonlyArray<Example> => {
  const source = relative(root, path)
  const lines = linesOf(path)
  const examples: Array<Example> = []
  for (let i = 0; i < lines.length; i++) {
    const opening = fence.exec(lines[i]!)
    if (opening === null) {
      continue
    }
    const [, indent, ticks, mark] = opening
    const start = i + 1
    while (++i < lines.length && lines[i]!.trim() !== ticks) {
      // to the end of the block
    }
    if (mark === "foreign") {
      continue
    }
    if (mark !== "" && mark !== "alone") {
      throw new Error(`${source}:${start}: a block is "ts", "ts alone" or "ts foreign", and this one is "ts ${mark}"`)
    }
    const printed = printedAfter(lines, i)
    const code = lines.slice(start, i).map((line) => line.startsWith(indent!) ? line.slice(indent!.length) : line)
    examples.push({
      source,
      line: start + 1,
      code: code.join("\n"),
      says: [...code.flatMap(saysOf), ...printed?.says ?? []],
      name: printed?.name ?? "",
      path: join(folder, `${source.replace(/[^\w.-]+/g, "_")}_${start + 1}${isTest(code) ? ".test" : ""}.ts`),
      alone: mark === "alone"
    })
  }
  return examples
}

const placeOf = ({ source, line }: Example): string => `${source}:${line}`

// -----------------------------------------------------------------------------------------------------------------
// compiling them
// -----------------------------------------------------------------------------------------------------------------

const compilerOptions = (): ts.CompilerOptions => {
  const path = join(root, "tsconfig.json")
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(path, ts.sys.readFile).config, ts.sys, root)
  return { ...options, noUnusedLocals: false, noUnusedParameters: false }
}

const compile = (examples: ReadonlyArray<Example>): ReadonlyMap<Example, ReadonlyArray<string>> => {
  const program = ts.createProgram(examples.map(({ path }) => path), compilerOptions())
  return new Map(examples.map((example) => {
    const file = program.getSourceFile(example.path)!
    const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return [
      example,
      diagnostics.map(({ messageText, start }) => {
        const line = example.line + file.getLineAndCharacterOfPosition(start ?? 0).line
        return `${example.source}:${line}: does not compile: ${ts.flattenDiagnosticMessageText(messageText, "\n  ")}`
      })
    ]
  }))
}

// -----------------------------------------------------------------------------------------------------------------
// running them
// -----------------------------------------------------------------------------------------------------------------

const nothingLeftToDo = () => new Promise((resolve) => process.once("beforeExit", resolve))

const agrees = (printed: string, said: string): boolean => {
  const literal = said.split("…").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
  return new RegExp(`^${literal.join(".*")}\\s*$`).test(printed)
}

const compare = (example: Example, printed: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { says } = example
  const wrong = says.findIndex((said, i) => printed[i] === undefined || !agrees(printed[i], said))
  const i = wrong === -1 && printed.length > says.length ? says.length : wrong
  const quoted = (text: string | undefined) => text === undefined ? "nothing" : JSON.stringify(text)
  return i === -1
    ? []
    : [`${placeOf(example)}: line ${i + 1} of what it prints is ${quoted(printed[i])}, and it says ${quoted(says[i])}`]
}

const withOwnName = ({ name, path }: Example, printed: ReadonlyArray<string>): ReadonlyArray<string> =>
  printed.map((line) => line.replaceAll(relative(root, path), name))

const runAlone = (example: Example): ReadonlyArray<string> => {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--conditions=@aiocontext/source", "--test-reporter=tap", example.path],
    { cwd: root, encoding: "utf8", timeout: millisPerProcess }
  )
  if (status !== 0) {
    return [`${placeOf(example)}: ends with ${status ?? "a timeout"} ${stderr}${stdout}`]
  }
  if (isNodeTest(example)) {
    return /^# pass [1-9]/m.test(stdout) ? [] : [`${placeOf(example)}: has no test`]
  }
  return compare(example, withOwnName(example, stdout.split("\n").slice(0, -1)))
}

const run = async (example: Example): Promise<ReadonlyArray<string>> => {
  const printed: Array<string> = []
  const problems: Array<string> = []
  const fail = (error: unknown) => {
    problems.push(`${placeOf(example)}: throws ${error instanceof Error ? error.message || error.name : String(error)}`)
  }
  const { log } = console
  console.log = (...args) => printed.push(...format(...args).split("\n"))
  process.on("uncaughtException", fail).on("unhandledRejection", fail)
  const tooLong = setTimeout(() => {
    console.log = log
    console.error(`${placeOf(example)}: still runs after ${millisPerExample / 1000} seconds`)
    process.exit(1)
  }, millisPerExample).unref()
  let ended = false
  const done = import(pathToFileURL(example.path).href).catch(fail).finally(() => {
    ended = true
  })
  await nothingLeftToDo()
  clearTimeout(tooLong)
  process.off("uncaughtException", fail).off("unhandledRejection", fail)
  console.log = log
  void done
  if (!ended) {
    problems.push(`${placeOf(example)}: awaits something that never happens`)
  }
  return problems.length > 0 ? problems : compare(example, withOwnName(example, printed))
}

const runTests = async (examples: ReadonlyArray<Example>): Promise<ReadonlyArray<string>> => {
  if (examples.length === 0) {
    return []
  }
  const vitest = await startVitest("test", [], {
    root,
    // not the projects of the library's own tests
    config: false,
    include: [".examples/*.test.ts"],
    server: { deps: { inline: [/aiocontext/] } },
    watch: false,
    reporters: [{}]
  }, onSources)
  const problems = examples.flatMap((example) => {
    const module = vitest.state.getTestModules().find(({ moduleId }) => moduleId === example.path)
    const tests = [...module?.children.allTests() ?? []]
    const errors = [...module?.errors() ?? [], ...tests.flatMap((test) => test.result().errors ?? [])]
    return [
      ...errors.map(({ message }) => `${placeOf(example)}: fails with ${message}`),
      ...(tests.length + errors.length === 0 ? [`${placeOf(example)}: has no test`] : [])
    ]
  })
  await vitest.close()
  return problems
}

const main = async (picked: ReadonlyArray<string>): Promise<void> => {
  const readme = join(root, "README.md")
  const examples = [
    ...filesUnder(join(root, "src"), ".ts"),
    ...filesUnder(join(root, "docs"), ".md"),
    ...(existsSync(readme) ? [readme] : [])
  ].flatMap(examplesIn).filter((example) =>
    picked.length === 0 || picked.some((part) => placeOf(example).includes(part))
  )
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.on("exit", remove)
  remove()
  mkdirSync(folder)
  for (const { code, path } of examples) {
    writeFileSync(path, `${code}\nexport {}\n`)
  }
  const problems: Array<string> = []
  const tests: Array<Example> = []
  for (const [example, errors] of compile(examples)) {
    if (errors.length > 0) {
      problems.push(...errors)
    } else if (example.path.endsWith(".test.ts")) {
      tests.push(example)
    } else {
      problems.push(...example.alone || isNodeTest(example) ? runAlone(example) : await run(example))
    }
  }
  problems.push(...await runTests(tests))
  problems.forEach((problem) => console.error(problem))
  const files = new Set(examples.map(({ source }) => source)).size
  console.log(
    problems.length === 0
      ? `${examples.length} examples in ${files} files compile, run and print what they say`
      : `${problems.length} problems in ${examples.length} examples`
  )
  process.exitCode = problems.length === 0 && examples.length > 0 ? 0 : 1
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
