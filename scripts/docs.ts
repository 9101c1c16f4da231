/**
 * Writes the documentation into docs/site: the guide, and a page for every public export, made from its doc comment.
 * It opens from disk, search included, and needs no network to be built or read.
 *
 * Fails on an export without a doc comment, and on a link that leads nowhere.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Application, Converter, ReflectionKind } from "typedoc"

const root = fileURLToPath(new URL("..", import.meta.url))

const filesIn = (folder: string, extension: string): ReadonlyArray<string> => {
  const path = join(root, folder)
  return existsSync(path)
    ? readdirSync(path).filter((name) => name.endsWith(extension)).toSorted().map((name) => `${folder}/${name}`)
    : []
}

const present = (...paths: ReadonlyArray<string>): ReadonlyArray<string> =>
  paths.filter((path) => existsSync(join(root, path)))

const effectDocs = "https://effect-ts.github.io/effect/effect"

const app = await Application.bootstrap({
  name: "aiocontext",
  tsconfig: join(root, "tsconfig.build.json"),
  basePath: root,
  entryPoints: [
    "src/index.ts",
    "src/Context.ts",
    "src/Layer.ts",
    "src/compat.ts",
    ...present("src/ContextSchema.ts", "src/Propagation.ts", "src/Baggage.ts", "src/reach-errors.ts"),
    ...filesIn("src/propagation", ".ts"),
    "src/errors.ts",
    ...filesIn("src/compat", ".ts"),
    ...present("src/testing.ts"),
    ...present("src/testing/vitest.ts")
  ],
  projectDocuments: [...filesIn("docs/guide", ".md"), ...filesIn("docs", ".md"), ...present("CHANGELOG.md")],
  readme: present("README.md")[0] ?? "none",
  out: join(root, "docs/site"),
  customCss: join(root, "scripts/docs.css"),
  includeVersion: true,
  excludeInternal: true,
  excludeExternals: true,
  disableSources: true,
  githubPages: false,
  hideGenerator: true,
  searchInDocuments: true,
  searchInComments: true,
  externalSymbolLinkMappings: {
    effect: {
      Config: `${effectDocs}/Config.ts.html`,
      ConfigError: `${effectDocs}/ConfigError.ts.html`,
      DurationInput: `${effectDocs}/Duration.ts.html`,
      Effect: `${effectDocs}/Effect.ts.html`,
      FiberRef: `${effectDocs}/FiberRef.ts.html`,
      HashMap: `${effectDocs}/HashMap.ts.html`,
      Layer: `${effectDocs}/Layer.ts.html`,
      Option: `${effectDocs}/Option.ts.html`,
      RuntimeFiber: `${effectDocs}/Fiber.ts.html`,
      TagClassShape: `${effectDocs}/Context.ts.html`,
      YieldableError: `${effectDocs}/Cause.ts.html`
    }
  },
  // described where they are used, by what they are in Effect
  intentionallyNotExported: [
    "MapRef",
    "Rejection",
    "Emitter",
    "AnySubject",
    "FastifyHook",
    "AnyFiber",
    "TaskContext",
    "VariableClass",
    "SnapshotClass",
    "AnyGenerator",
    "AnyFunction"
  ],
  requiredToBeDocumented: ["Module", "Class", "Interface", "TypeAlias", "Variable", "Function", "CallSignature"],
  sort: ["documents-first", "kind", "source-order"],
  kindSortOrder: ["Document", "Module", "Function", "Variable", "Class", "Interface", "TypeAlias", "Reference"],
  groupOrder: ["Documents", "Modules", "Functions", "Variables", "Classes", "Interfaces", "Type Aliases"],
  sortEntryPoints: false,
  navigation: { includeFolders: false, includeGroups: false, includeCategories: false },
  treatWarningsAsErrors: true,
  validation: {
    notExported: true,
    notDocumented: true,
    invalidLink: true,
    // the guide links to this page
    invalidPath: existsSync(join(root, "docs/coming-from.md")),
    rewrittenLink: true
  }
})

// a module goes by the name that it is imported with
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, reflection) => {
  if (reflection.kindOf(ReflectionKind.Module)) {
    reflection.name = reflection.name.replace(/^src/, "aiocontext").replace(/\/index$/, "")
  }
})

const project = await app.convert()
if (project !== undefined) {
  app.validate(project)
  await app.generateOutputs(project)
}
process.exitCode = project === undefined || app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0
