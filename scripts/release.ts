/**
 * Publishes the version that `package.json` names, once everything on its list is right. `npm run release -- --dry-run` goes
 * through the list and publishes nothing.
 *
 * First comes what takes seconds, and all that is wrong is said at once. What takes minutes runs only when nothing is:
 * `--quick` leaves it out, for when CI has just run it on this very commit.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const root = fileURLToPath(new URL("..", import.meta.url))

const { values: options } = parseArgs({
  options: { "dry-run": { type: "boolean", default: false }, quick: { type: "boolean", default: false } }
})

interface Manifest {
  readonly version: string
  readonly repository?: unknown
  readonly homepage?: unknown
  readonly bugs?: unknown
}

const read = (path: string): string => readFileSync(join(root, path), "utf8")

const manifest = JSON.parse(read("package.json")) as Manifest
const tag = `v${manifest.version}`

/** What a command prints, or why it failed. */
const output = (command: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd()

/** Runs a command where its output can be seen; whether it succeeded. */
const succeeds = (command: string, ...args: ReadonlyArray<string>): boolean =>
  spawnSync(command, args, { cwd: root, stdio: "inherit" }).status === 0

/** One line of the list. */
interface Item {
  /** What is right when it passes. */
  readonly says: string
  /** What is wrong, with what mends it; nothing where it is right. */
  readonly problem: () => string | undefined
}

const unless = (right: boolean, problem: string): string | undefined => right ? undefined : problem

// -----------------------------------------------------------------------------------------------------------------
// what takes seconds
// -----------------------------------------------------------------------------------------------------------------

const lockedVersion = (): string => (JSON.parse(read("package-lock.json")) as { readonly version: string }).version

/** The heading of the newest version: its number and, if it has one, its date. */
const newestNotes = (): { readonly version: string; readonly date: string } => {
  const [, version = "", date = ""] = /^## (\S+)(?: - (\S+))?$/m.exec(read("CHANGELOG.md")) ?? []
  return { version, date }
}

/** Notes that are in no section of the changelog yet. */
const waitingNotes = (): ReadonlyArray<string> =>
  readdirSync(join(root, ".changeset")).filter((file) => file.endsWith(".md") && file !== "README.md")

/** Files that would be published and are not the library's, its documents or its manifest. */
const strangeFiles = (): ReadonlyArray<string> => {
  const [packed] = JSON.parse(output("npm", "pack", "--dry-run", "--json", "--ignore-scripts")) as ReadonlyArray<{
    readonly files: ReadonlyArray<{ readonly path: string }>
  }>
  return packed!.files.map(({ path }) => path).filter((path) =>
    !/^(dist|src)\/|^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/.test(path)
  )
}

const quick: ReadonlyArray<Item> = [
  {
    says: "the branch is main",
    problem: () => {
      const branch = output("git", "branch", "--show-current")
      return unless(branch === "main", `this is ${branch || "no branch"}: git switch main`)
    }
  },
  {
    says: "everything is committed",
    problem: () => {
      const changes = output("git", "status", "--porcelain")
      return unless(changes === "", `commit or drop these:\n${changes}`)
    }
  },
  {
    says: "package.json says where the project is",
    problem: () => {
      const missing = (["repository", "homepage", "bugs"] as const).filter((field) => manifest[field] === undefined)
      return unless(missing.length === 0, `fill in ${missing.join(", ")}`)
    }
  },
  {
    says: "the lockfile has the version of package.json",
    problem: () => unless(lockedVersion() === manifest.version, `it has ${lockedVersion()}: npm install`)
  },
  {
    says: "every note is in the changelog",
    problem: () => {
      const notes = waitingNotes()
      return unless(notes.length === 0, `${notes.join(", ")}: npx changeset version`)
    }
  },
  {
    says: `CHANGELOG.md begins with ${manifest.version} and its date`,
    problem: () => {
      const { date, version } = newestNotes()
      return version === manifest.version
        ? unless(/^\d{4}-\d\d-\d\d$/.test(date), `give it its date: ## ${version} - YYYY-MM-DD`)
        : `it begins with ${version || "no version"}`
    }
  },
  {
    says: `the tag ${tag} is free`,
    problem: () => unless(output("git", "tag", "--list", tag) === "", "that version is out: npx changeset")
  },
  {
    says: "it builds",
    problem: () => {
      try {
        output("npm", "run", "build")
        return undefined
      } catch (error) {
        return (error as { readonly stdout: string }).stdout
      }
    }
  },
  {
    says: "the package has the library in it, and nothing else",
    problem: () => {
      const strange = strangeFiles()
      return unless(existsSync(join(root, "dist/index.js")) && strange.length === 0, `look at: ${strange.join(", ")}`)
    }
  }
]

// -----------------------------------------------------------------------------------------------------------------
// what takes minutes
// -----------------------------------------------------------------------------------------------------------------

const long: ReadonlyArray<Item> = [
  { says: "what CI runs", problem: () => unless(succeeds(".ci/run"), ".ci/run fails") },
  {
    says: "no foreign read in any of 100 orders",
    problem: () => unless(succeeds("npm", "run", "test:isolation", "--", "100"), "the isolation test found one")
  },
  { says: "each runtime and Effect", problem: () => unless(succeeds("npm", "run", "test:matrix"), "a row fails") }
]

/** Prints each item with what is wrong with it; how many are. */
const go = (items: ReadonlyArray<Item>): number => {
  let problems = 0
  for (const { problem, says } of items) {
    const found = problem()
    console.log(
      found === undefined ? `  right  ${says}` : `  WRONG  ${says}\n         ${found.replaceAll("\n", "\n         ")}`
    )
    problems += found === undefined ? 0 : 1
  }
  return problems
}

const main = (): void => {
  console.log(`Releasing ${manifest.version}${options["dry-run"] ? ", a dry run" : ""}`)
  let problems = go(quick)
  if (problems === 0 && !options.quick) {
    problems = go(long)
  } else {
    const why = options.quick ? "--quick" : "the above comes first"
    long.forEach(({ says }) => console.log(`  not run, ${why}: ${says}`))
  }
  if (problems > 0) {
    console.log(`${problems} ${problems === 1 ? "thing is" : "things are"} wrong: nothing is published`)
    process.exitCode = 1
  } else if (options["dry-run"]) {
    console.log(`All is right: without --dry-run, ${manifest.version} would be published and tagged ${tag} now`)
  } else if (succeeds("npx", "changeset", "publish")) {
    console.log(`Published. Next: git push --follow-tags, and the notes of CHANGELOG.md on the release's page`)
  } else {
    process.exitCode = 1
  }
}

main()
