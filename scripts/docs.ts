/**
 * Writes the documentation into docs/site: the guide, and a page for every public export, made from its doc comment.
 * It opens from disk, search included, and needs no network to be built or read. Its start page is that of the guide,
 * and a module's names are grouped by what they are for.
 *
 * Fails on an export without a doc comment, without `@since` or a category of the list below, and on a link that leads
 * nowhere.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Comment, DeclarationReflection, ProjectReflection } from "typedoc"
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

/** What names are for, in the order of a page. There are no others. */
const categories = [
  "constructors",
  "contexts",
  "entries",
  "tasks",
  "layers",
  "middleware",
  "encoding",
  "decoding",
  "testing",
  "errors",
  "options",
  "models",
  "types"
]

const guide = "docs/README.md"

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
    "src/register.ts",
    ...present("src/ContextSchema.ts", "src/Propagation.ts", "src/Baggage.ts", "src/reach-errors.ts"),
    ...filesIn("src/propagation", ".ts"),
    "src/errors.ts",
    ...filesIn("src/compat", ".ts"),
    ...present("src/testing.ts"),
    ...present("src/testing/vitest.ts")
  ],
  projectDocuments: [
    ...filesIn("docs/guide", ".md"),
    ...present("docs/recipes/README.md"),
    ...filesIn("docs", ".md").filter((path) => path !== guide),
    ...present("CHANGELOG.md")
  ],
  readme: present(guide)[0] ?? "none",
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
  // a page that explains comes before a name that mentions
  searchGroupBoosts: { Documents: 3 },
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
  categorizeByGroup: false,
  categoryOrder: categories,
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

const commentsOf = (name: DeclarationReflection): ReadonlyArray<Comment> =>
  [name.comment, ...name.signatures?.map(({ comment }) => comment) ?? []].filter((comment) => comment !== undefined)

const tagOf = (comments: ReadonlyArray<Comment>, tag: "@since" | "@category"): string | undefined =>
  comments.flatMap(({ blockTags }) => blockTags).find((block) => block.tag === tag)?.content
    .map(({ text }) => text).join("").trim()

// the converter takes `@category` away once it has sorted by it
const categoryOf = new Map<DeclarationReflection, string | undefined>()
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
  for (const name of context.project.getReflectionsByKind(ReflectionKind.SomeModule | ReflectionKind.SomeExport)) {
    if (name.isDeclaration() && !name.isReference() && name.parent?.kindOf(ReflectionKind.Module)) {
      categoryOf.set(name, tagOf(commentsOf(name), "@category"))
    }
  }
}, 1000)

/** Whether each export that is shown says since when it is there, and what it is for. */
const checkTags = (project: ProjectReflection): void => {
  for (const [name, category] of [...categoryOf].filter(([{ id }]) => project.getReflectionById(id) !== undefined)) {
    const full = `${name.parent?.name ?? ""}: ${name.name}`
    if (tagOf(commentsOf(name), "@since") === undefined) {
      app.logger.error(`${full} has no @since`)
    }
    if (category === undefined || !categories.includes(category)) {
      app.logger.error(`${full} has ${category ?? "no @category"}, and there are ${categories.join(", ")}`)
    }
  }
}

const project = await app.convert()
if (project !== undefined) {
  app.validate(project)
  checkTags(project)
  await app.generateOutputs(project)
}
process.exitCode = project === undefined || app.logger.hasErrors() || app.logger.hasWarnings() ? 1 : 0
