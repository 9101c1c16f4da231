import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** The packed package. */
    readonly tarball: string
  }
}

/** Builds and packs the package, once for all tests. */
export const setup = (project: TestProject) => {
  const root = join(import.meta.dirname, "../..")
  const folder = mkdtempSync(join(tmpdir(), "aiocontext-pack-"))
  execFileSync("npm", ["run", "build"], { cwd: root, stdio: "pipe" })
  const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root
  })
  const [packed] = Object.values(JSON.parse(output.toString())) as Array<{ readonly filename: string }>
  project.provide("tarball", join(folder, packed!.filename))
  return () => rmSync(folder, { recursive: true, force: true })
}
