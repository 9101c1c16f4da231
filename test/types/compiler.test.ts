import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as path from "node:path"
import ts from "typescript"

// What an editor shows: the text of a hover, and of the likeliest mistakes. Both are pinned whole.

const preamble = `
import { Context, compat, Ctx } from "aiocontext"
import * as ContextLayers from "aiocontext/Layer"
import { Effect, HashMap } from "effect"

class Request extends Context.Tag("app/Request")<Request, { readonly id: string; readonly user?: string }>() {}
const request = compat.make(Request)
`

const file = path.resolve(import.meta.dirname, "virtual.ts")

/** An editor that has one file open. */
const makeEditor = () => {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path.resolve(import.meta.dirname, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    import.meta.dirname
  )
  let version = 0
  let text = preamble
  const service = ts.createLanguageService({
    getCompilationSettings: () => ({ ...options, noUnusedLocals: false, plugins: [] }),
    getScriptFileNames: () => [file],
    getScriptVersion: (name) => name === file ? String(version) : "0",
    getScriptSnapshot: (name) => {
      const source = name === file ? text : ts.sys.readFile(name)
      return source === undefined ? undefined : ts.ScriptSnapshot.fromString(source)
    },
    getCurrentDirectory: () => import.meta.dirname,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: (name) => name === file ? text : ts.sys.readFile(name),
    directoryExists: ts.sys.directoryExists
  })
  const open = (code: string): void => {
    version++
    text = preamble + code
  }
  return {
    /** What the compiler says about the code. */
    mistakes: (code: string): ReadonlyArray<string> => {
      open(code)
      return [...service.getSyntacticDiagnostics(file), ...service.getSemanticDiagnostics(file)].map((diagnostic) =>
        ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")
      )
    },
    /** What the editor shows over the last occurrence of a name. */
    hover: (code: string, name: string): string => {
      open(code)
      const info = service.getQuickInfoAtPosition(file, text.lastIndexOf(name))
      return ts.displayPartsToString(info?.displayParts)
    }
  }
}

const editor = makeEditor()

// reads the types of Effect
beforeAll(() => void editor.mistakes(""), 300_000)

const shape = "{ readonly id: string; readonly user?: string; }"
const context = `TagClass<Request, "app/Request", ${shape}, ${shape}>`

describe("the compiler's text for", () => {
  for (
    const { code, says, title } of [
      {
        title: "a key that the shape lacks",
        code: `Request.get("usr")`,
        says: `Argument of type '"usr"' is not assignable to parameter of type '"id" | "user"'.`
      },
      {
        title: "a value of another type",
        code: `Request.set("user", 1)`,
        says: `Argument of type 'number' is not assignable to parameter of type 'string'.`
      },
      {
        title: "a required key that a layer is not given",
        code: `Request.layer({ user: "ann" })`,
        says: `Argument of type '{ user: string; }' is not assignable to parameter of type '${shape}'.\n` +
          `  Property 'id' is missing in type '{ user: string; }' but required in type '${shape}'.`
      },
      {
        title: "a required key that is deleted",
        code: `Request.delete("id")`,
        says: `Argument of type 'string' is not assignable to parameter of type 'RequiredKeyCannotBeDeleted<"id">'.`
      },
      {
        title: "a required key that promise code deletes",
        code: `request.delete("id")`,
        says: `Argument of type 'string' is not assignable to parameter of type 'RequiredKeyCannotBeDeleted<"id">'.`
      },
      {
        title: "an effect that is run without its context",
        code: `Effect.runPromise(Request.get("id"))`,
        says:
          `Argument of type 'Effect<string, never, Request>' is not assignable to parameter of type 'Effect<string, never, never>'` +
          ` with 'exactOptionalPropertyTypes: true'. Consider adding 'undefined' to the types of the target's properties.\n` +
          `  Type 'Request' is not assignable to type 'never'.`
      },
      {
        title: "a class that names another one as its Self",
        code: `class Other extends Context.Tag("app/Other")<Request, { readonly id: string }>() {}`,
        says:
          `Class static side 'typeof Other' incorrectly extends base class static side '{ readonly prototype: Request; readonly key: "app/Other"; readonly get: { <K extends "id">(key: K): Effect<{ readonly id: string; }[K], never, Request>; <K extends "id", B>(key: K, fallback: B): Effect<...>; }; ... 39 more ...; readonly [STMTypeId]: { ...; }; }'.\n` +
          `  The types of 'prototype.Id' are incompatible between these types.\n` +
          `    Type '"app/Other"' is not assignable to type '"app/Request"'.`
      },
      {
        title: "a strategy that is misspelled",
        code: `Context.Tag("app/Typo")<Request>({ fork: "clone" })`,
        says: `Type '"clone"' is not assignable to type 'Fork | undefined'.`
      },
      {
        title: "a map that is made of no context",
        code: `compat.make("app/Request")`,
        says:
          `Argument of type 'string' is not assignable to parameter of type 'TagClass<unknown, string, unknown, unknown>'.`
      },
      {
        title: "an update that gives another type",
        code: `Request.update("user", (user) => user?.length)`,
        says: `Type 'number | undefined' is not assignable to type 'string'.\n` +
          `  Type 'undefined' is not assignable to type 'string'.`
      },
      {
        title: "entries that are given where a service is",
        code: `Effect.provideService(Effect.void, Request, { id: "a" })`,
        says: `Object literal may only specify known properties, and 'id' does not exist in type 'Attached<${shape}>'.`
      }
    ]
  ) {
    it(title, () => {
      expect(editor.mistakes(code)).toStrictEqual([says])
    })
  }
})

describe("a hover over", () => {
  for (
    const { code, name, shows, title } of [
      {
        title: "what get gives of a required key",
        code: `const id = Request.get("id")`,
        name: "id = ",
        shows: "const id: Effect.Effect<string, never, Request>"
      },
      {
        title: "what get gives of an optional key",
        code: `const user = Request.get("user")`,
        name: "user = ",
        shows: "const user: Effect.Effect<string | undefined, never, Request>"
      },
      {
        title: "what get gives of a dict",
        code: `const any = Ctx.get("any")`,
        name: "any = ",
        shows: "const any: Effect.Effect<unknown, never, Context.Ctx>"
      },
      {
        title: "get",
        code: `Request.get("id")`,
        name: "get(",
        shows: `(property) ${context}.get: <"id">(key: "id") => Effect.Effect<string, never, Request> (+1 overload)`
      },
      {
        title: "set",
        code: `Request.set("user", "ann")`,
        name: "set(",
        shows: `(property) ${context}.set: <"user">(key: "user", value: string) => Effect.Effect<void, never, Request>`
      },
      {
        title: "provide",
        code: `Effect.void.pipe(Request.provide({ id: "a" }))`,
        name: "provide(",
        shows: `(property) ${context}.provide: (entries: {\n    readonly id: string;\n    readonly user?: string;\n})` +
          ` => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Request>> (+1 overload)`
      },
      {
        title: "get in promise code",
        code: `request.get("id")`,
        name: "get(",
        shows: `(method) ContextMap<Request, ${shape}, ${shape}>.get<"id">(key: "id"): string (+1 overload)`
      },
      {
        title: "what get gives in promise code",
        code: `const user = request.get("user")`,
        name: "user = ",
        shows: "const user: string | undefined"
      },
      {
        title: "a layer",
        code: `const layer = Request.layer({ id: "a" })`,
        name: "layer = ",
        shows: "const layer: Layer<Request, never, never>"
      },
      {
        title: "a bound function",
        code: `const bound = compat.bind((req: Request, n: number) => n)`,
        name: "bound = ",
        shows: "const bound: (this: unknown, req: Request, n: number) => number"
      }
    ]
  ) {
    it(title, () => {
      expect(editor.hover(code, name)).toBe(shows)
    })
  }
})
