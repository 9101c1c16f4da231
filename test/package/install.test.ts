import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { effect, makeProject } from "./project.js"

interface Manifest {
  readonly exports: Record<string, string | Record<string, string>>
  readonly dependencies?: unknown
  readonly peerDependencies: Record<string, string>
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>
}

// What a user's first file does with each of the package's main modules.
const program = `
import { compat, Context, context, ContextLayer, Ctx } from "aiocontext"
import * as Layers from "aiocontext/Layer"
import { KeyNotFoundError } from "aiocontext/errors"
import type { AioContextError } from "aiocontext"
import { Config, Effect, Option } from "effect"

class Request extends Context.Tag("app/Request")<Request, {
  readonly request_id: string
  readonly user?: string
}>({ fork: "chain", join: "merge" }) {}

const request = compat.make(Request)
const handle = async (): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, 1))
  request.set("user", "ann")
  return request.get("request_id")
}

const program: Effect.Effect<string, KeyNotFoundError, Request | Ctx> = Effect.gen(function*() {
  const id: string = yield* Effect.promise(handle)
  const user: Option.Option<string> = yield* Request.getOption("user")
  yield* Ctx.set("seen", true)
  return id + " " + Option.getOrThrow(user) + " " + String(context.get("seen")) + " " + (yield* Request.getOrFail("user"))
})

// @ts-expect-error the context has no such key
void Request.get("nothing")
// @ts-expect-error a required key cannot be deleted
void Request.delete("request_id")

const main = program.pipe(
  Effect.provide([ContextLayer, Layers.succeed(Request, { request_id: "r-1" }), Layers.logAnnotations(Request)])
)
void Layers.config(Request, Config.all({ request_id: Config.string("ID") }))
Effect.runPromise(main).then(console.log, (error: AioContextError) => { throw error })
`

const check = (resolution: "NodeNext" | "Bundler", ...files: ReadonlyArray<string>) => ({
  compilerOptions: {
    target: "ES2022",
    lib: ["ES2022", "DOM", "DOM.Iterable", "ESNext.Disposable"],
    module: resolution === "NodeNext" ? "NodeNext" : "ES2022",
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: [],
    outDir: "out"
  },
  files
})

describe("the packed package in an empty project", () => {
  const project = makeProject()
  const installed = join(project.folder, "node_modules")
  const read = (file: string) => readFileSync(join(installed, "aiocontext", file), "utf8")
  const manifest = () => JSON.parse(read("package.json")) as Manifest

  // these are for users of what they integrate with, or of Node with its types
  const integrations = /propagation\/(BullMQ|Cluster|HttpServer|HttpClient|Node|Queue|Rpc|Worker)$/

  /** What a user can import who has Effect alone: a module each. */
  const entries = (): ReadonlyArray<string> =>
    Object.keys(manifest().exports).filter((entry) => !/\.json$|\/vitest$/.test(entry)).flatMap((entry) => {
      const name = join("aiocontext", entry)
      return name.endsWith("/*")
        ? readdirSync(join(installed, "aiocontext/dist", entry.slice(0, -1)))
          .filter((file) => file.endsWith(".js"))
          .map((file) => name.replace("*", file.slice(0, -".js".length)))
        : [name]
    }).filter((name) => !integrations.test(name))

  beforeAll(async () => {
    await project.install(
      inject("tarball"),
      effect,
      "typescript-5.4@npm:typescript@5.4",
      "typescript-5.9@npm:typescript@5.9",
      "typescript-7@npm:typescript@7"
    )
    project.write("program.ts", program)
    project.write(
      "entries.ts",
      entries().map((entry, index) => `export * as entry${index} from ${JSON.stringify(entry)}`).join("\n")
    )
    project.write("effect.ts", `import "effect"`)
    project.write("nodenext.json", JSON.stringify(check("NodeNext", "program.ts", "entries.ts")))
    project.write("bundler.json", JSON.stringify(check("Bundler", "program.ts", "entries.ts")))
    project.write("effect.json", JSON.stringify(check("NodeNext", "effect.ts")))
  })
  afterAll(project.remove)

  it("has no dependency, and effect as its only peer that is not optional", () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = manifest()
    expect(dependencies).toBeUndefined()
    expect(Object.keys(peerDependencies).filter((name) => peerDependenciesMeta?.[name]?.optional !== true)).toEqual([
      "effect"
    ])
  })

  it("has the file of each target, its sources and its source maps", () => {
    for (const [entry, targets] of Object.entries(manifest().exports)) {
      for (const target of typeof targets === "string" ? [targets] : Object.values(targets)) {
        if (target.includes("*")) {
          const [folder, ending] = target.split("*") as [string, string]
          const matching = readdirSync(join(installed, "aiocontext", folder)).filter((name) => name.endsWith(ending))
          expect(matching, `${entry}: ${target}`).not.toEqual([])
        } else {
          expect(existsSync(join(installed, "aiocontext", target)), `${entry}: ${target}`).toBe(true)
        }
      }
    }
    const map = JSON.parse(read("dist/index.js.map")) as { readonly sources: ReadonlyArray<string> }
    expect(map.sources).toEqual(["../src/index.ts"])
    expect(existsSync(join(installed, "aiocontext/src/index.ts"))).toBe(true)
  })

  it("has nothing of the tests, the benchmarks or the tools", () => {
    expect(readdirSync(join(installed, "aiocontext")).toSorted()).toEqual(
      ["CHANGELOG.md", "LICENSE", "README.md", "dist", "package.json", "src"]
    )
  })

  const compile = (version: string, config: string): Promise<string> => {
    const folder = join(installed, `typescript-${version}`)
    const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      readonly bin: { readonly tsc: string }
    }
    return project.run(process.execPath, join(folder, bin.tsc), "--pretty", "false", "--project", config)
  }

  // one after the other: a compiler takes a core each
  it.sequential.each([["5.9", "nodenext.json"], ["7", "nodenext.json"], ["7", "bundler.json"]])(
    "type-checks under TypeScript %s with %s, libraries included",
    async (version, config) => expect(await compile(version, config)).toBe("")
  )

  // Effect's own declarations need 5.7 there (`Uint8Array<ArrayBuffer>`): whoever is on 5.4 has skipLibCheck on
  it.sequential("has under TypeScript 5.4 the errors of Effect's own declarations, and no other", async () => {
    const errorsOf = async (config: string): Promise<ReadonlyArray<string>> => {
      const output = await compile("5.4", config).catch((error: Error) => error.message)
      return output.split("\n").filter((line) => line.includes("error TS")).toSorted()
    }
    const alone = await errorsOf("effect.json")
    expect(alone).not.toEqual([])
    expect(alone.filter((line) => !line.startsWith("node_modules/effect/"))).toEqual([])
    expect(await errorsOf("nodenext.json")).toEqual(alone)
  })

  it.sequential("runs", async () => {
    await compile("7", "nodenext.json")
    expect(await project.run(process.execPath, "out/program.js")).toBe("r-1 ann true ann\n")
  })

  it.sequential("has modules that load, each on its own", async () => {
    expect(entries()).toHaveLength(16)
    for (const entry of entries()) {
      const print = `import * as module from ${JSON.stringify(entry)}; console.log(Object.keys(module).length > 0)`
      expect(await project.run(process.execPath, "--input-type=module", "--eval", print), entry).toBe(
        // it is imported for what it does
        entry.endsWith("/register") ? "false\n" : "true\n"
      )
    }
  })
})
