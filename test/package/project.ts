import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"

const execute = promisify(execFile)

/** A project of a user, in a folder of its own. */
export interface Project {
  readonly folder: string
  /** Installs packages as a user does. */
  readonly install: (...packages: ReadonlyArray<string>) => Promise<void>
  readonly write: (file: string, text: string) => void
  /** Runs a program and gives its output; rejects with all that it printed where it fails. */
  readonly run: (command: string, ...args: ReadonlyArray<string>) => Promise<string>
  readonly remove: () => void
}

/** Makes an empty project of ES modules. */
export const makeProject = (): Project => {
  const folder = mkdtempSync(join(tmpdir(), "aiocontext-project-"))
  const run = async (command: string, ...args: ReadonlyArray<string>) => {
    try {
      const { stdout } = await execute(command, args, { cwd: folder, maxBuffer: 2 ** 26 })
      return stdout
    } catch (cause) {
      const { stderr, stdout } = cause as { readonly stdout: string; readonly stderr: string }
      throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`, { cause })
    }
  }
  const write = (file: string, text: string) => {
    const path = join(folder, file)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  write("package.json", JSON.stringify({ name: "project", private: true, type: "module" }))
  return {
    folder,
    run,
    write,
    install: async (...packages) => {
      // a range of peers that a test breaks on purpose is not what these tests are about, nor what a linked folder is built with
      await run(
        "npm",
        "install",
        "--legacy-peer-deps",
        "--omit=dev",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        ...packages
      )
    },
    remove: () => rmSync(folder, { recursive: true, force: true })
  }
}

/** The version of Effect that a user gets today. */
export const effect = "effect@3.22.4"
