/**
 * The lines that a finding names, from a packed package: where it is installed, linked or unpacked, under node, tsx and
 * vitest, with source maps and without.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { effect, makeProject } from "./project.js"

const handler = `
import { Effect } from "effect"

let current = ""

export const handler = (user: string) =>
  Effect.gen(function*() {
    current = user
    yield* Effect.sleep(5)
    return current
  })
`

const subject = (module: string) => `
import { Effect } from "effect"
import { isolationTest } from "aiocontext/testing"
import { handler } from "${module}"

export const test = () => isolationTest((request) =>
  Effect.gen(function*() {
    const { user } = request.values
    const answer = yield* handler(user)
    return request.observe(answer)
  }), { seeds: 1 })
`

const print = `.catch((error) => {
  const { read, taken } = error.leak
  console.log(\`\\nlines \${read[0]} \${taken[0]} \${read.length} \${taken.length}\\n\${/subject .*/.exec(error.message)[0]}\`)
})
`

const typeless = (source: string): string => source.replace(": string", "")

const project = makeProject()
afterAll(() => project.remove())

beforeAll(async () => {
  await project.install(inject("tarball"), effect, "tsx@4.23.0", "vitest@3.2.7")
  const linked = join(project.folder, "vendor")
  mkdirSync(linked)
  execFileSync("tar", ["-xzf", inject("tarball"), "-C", linked])
  project.write("handler.ts", handler)
  project.write("subject.ts", subject("./handler.js"))
  project.write("main.ts", `import { test } from "./subject.js"\nawait test()${print}`)
  project.write(
    "subject.test.ts",
    `import { it } from "vitest"\nimport { test } from "./subject.js"\nit("keeps apart", () => test()${print.trim()})\n`
  )
  project.write("inline.config.js", `export default { test: { server: { deps: { inline: ["aiocontext"] } } } }\n`)
  project.write("js/handler.js", typeless(handler))
  project.write("js/subject.js", subject("./handler.js"))
  project.write("js/main.js", `import { test } from "./subject.js"\nawait test()${print}`)
})

// the column is the loader's to say
const linesOf = (output: string): ReadonlyArray<string> =>
  Array.from(output.matchAll(/^(?:lines|subject) .*$/gm), ([line]) => line.replace(/(:\d+):\d+/g, "$1"))

const lines = (file: string) => [
  `lines ${file}:10 ${file}:8 1 1`,
  `subject given to isolationTest at test (${file}:6)`
]

const commands: Record<string, readonly [file: string, command: string, ...args: ReadonlyArray<string>]> = {
  "node": ["js/subject.js", "node", "js/main.js"],
  "node with source maps": ["js/subject.js", "node", "--enable-source-maps", "js/main.js"],
  "tsx": ["subject.ts", "npx", "tsx", "main.ts"],
  "vitest": ["subject.ts", "npx", "vitest", "run"],
  "vitest that transforms the package": ["subject.ts", "npx", "vitest", "run", "--config", "inline.config.js"]
}

describe("a finding of the installed kit names the user's lines under", () => {
  for (const [name, [file, command, ...args]] of Object.entries(commands)) {
    it(name, async () => {
      expect(linesOf(await project.run(command, ...args))).toEqual(lines(file))
    })
  }
})

describe("a finding of a kit in a folder that npm links to names the user's lines under", () => {
  beforeAll(() => project.install("./vendor/package"))
  for (const name of ["node with source maps", "tsx", "vitest"]) {
    const [file, command, ...args] = commands[name]!
    it(name, async () => {
      expect(linesOf(await project.run(command, ...args))).toEqual(lines(file))
    })
  }
})
