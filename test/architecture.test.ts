/**
 * How the source is laid out: which way imports go, and who may name the engine.
 */
import { describe, expect, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const source = join(root, "src")

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join(source, file), "utf8") }))

const importsOf = ({ file, text }: { readonly file: string; readonly text: string }): ReadonlyArray<string> =>
  Array.from(text.matchAll(/^(?:import|export|\}) .*from "([^"]+)"/gm), ([, specifier]) =>
    specifier!.startsWith(".")
      ? relative(source, resolve(source, dirname(file), specifier!.replace(/\.js$/, ".ts")))
      : specifier!)

/** The rooms, from the ground up: a file imports from its own room and from those before it. */
const rooms: ReadonlyArray<ReadonlyArray<string>> = [
  ["errors.ts", "reach-errors.ts"],
  ["internal/argument.ts", "internal/global.ts", "internal/clone.ts"],
  ["internal/map/", "internal/async/"],
  ["internal/effect3/"],
  ["internal/region/"],
  ["internal/task/"],
  ["Context.ts"],
  ["internal/policy/", "Baggage.ts"],
  ["ContextSchema.ts"],
  ["Propagation.ts"],
  ["Layer.ts"],
  ["compat.ts", "register.ts"],
  ["propagation/"],
  ["compat/"],
  ["testing"],
  ["index.ts"]
]
const roomOf = (file: string): number => rooms.findIndex((room) => room.some((name) => file.startsWith(name)))

describe("imports", () => {
  for (const module of files) {
    it(`of ${module.file} go one way`, () => {
      expect(roomOf(module.file)).toBeGreaterThanOrEqual(0)
      for (const target of importsOf(module)) {
        if (target.endsWith(".ts")) {
          expect([module.file, target, roomOf(target) <= roomOf(module.file)]).toEqual([module.file, target, true])
        }
      }
    })
  }
  it("of the core are effect and nothing else", () => {
    const core = files.filter(({ file }) => roomOf(file) <= roomOf("compat.ts") && !file.startsWith("internal/async/"))
    const packages = new Set(core.flatMap(importsOf).filter((target) => !target.endsWith(".ts")))
    expect([...packages].filter((name) => name !== "effect" && !name.startsWith("effect/"))).toEqual(["#async"])
  })
})

const importsAsyncHooks = (file: { readonly file: string; readonly text: string }): boolean =>
  importsOf({ ...file, text: file.text.replace(/^ \*.*$/gm, "") }).includes("node:async_hooks")

describe("the engine", () => {
  const engineWords =
    /\b(FiberRefs?|RuntimeFlags|Supervisor|Scheduler|currentContext|unsafeMap|RuntimeFiber\.)\b(?=[.<(\s])|(?<!Managed)Runtime\.(?!Runtime\b)\w+/
  for (
    const { file, text } of files.filter(({ file }) =>
      !file.startsWith("internal/effect3/") && file !== "testing/world/engine.ts" &&
      file !== "testing/trace/debugger.ts"
    )
  ) {
    it(`is not named by ${file}`, () => {
      const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*/g, "").replace(/`[^`]*`/g, "")
      expect(code).not.toMatch(engineWords)
      expect(text).not.toMatch(
        /import \* as .* from "effect\/(FiberRefs?|Runtime|RuntimeFlags|Supervisor|Scheduler|ManagedRuntime)"/
      )
    })
  }
  it("node:async_hooks is reached from one file", () => {
    expect(files.filter(importsAsyncHooks).map(({ file }) => file)).toEqual([
      "internal/async/node.ts"
    ])
  })
})

describe("the size budget", () => {
  const budgets: ReadonlyArray<{ readonly import: string | Record<string, string> }> = JSON.parse(
    readFileSync(join(root, ".size-limit.json"), "utf8")
  )
  const counted = budgets.flatMap((budget) => typeof budget.import === "string" ? [] : Object.entries(budget.import))
  for (const module of ["Context", "Layer", "compat"]) {
    it(`counts every function of ${module}`, async () => {
      const names = Object.keys(await import(`../src/${module}.ts`)).filter((name) => name !== "ContextLayer")
        .toSorted()
      const lists = counted.filter(([file]) => file === `dist/${module}.js`)
      expect(lists.length).toBeGreaterThan(0)
      for (const [, list] of lists) {
        expect(Array.from(list.match(/\w+/g) ?? []).toSorted()).toEqual(names)
      }
    })
  }
})

describe("the quickstart", () => {
  it("is in the README as it stands", () => {
    const example = readFileSync(join(root, "examples/quickstart.ts"), "utf8")
    expect(readFileSync(join(root, "README.md"), "utf8")).toContain(`\`\`\`ts\n${example}\`\`\``)
  })
})
