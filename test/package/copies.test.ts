import { cpSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import { effect, makeProject } from "./project.js"

// Each program is run twice: `one` and `two` are two copies of the package, or one copy imported and the other required.
const programs: Record<string, { readonly code: string; readonly prints: unknown }> = {
  "read and write one map": {
    code: `
      class Here extends one.Context.Tag("copies/Request")() {}
      class There extends two.Context.Tag("copies/Request")() {}
      const program = Effect.gen(function*() {
        yield* Here.set("a", 1)
        yield* There.set("b", 2)
        return [yield* There.get("a"), yield* Here.get("b"), yield* There.size]
      })
      print(await Effect.runPromise(program.pipe(There.provide({ c: 3 }))))
      print(await Effect.runPromise(program.pipe(Effect.provide(Here.layer({ c: 3 })))))`,
    prints: [[1, 2, 3], [1, 2, 3]]
  },
  "share the ready-made context and the bridge": {
    code: `
      const tick = () => new Promise((resolve) => setTimeout(resolve, 1))
      const program = Effect.gen(function*() {
        yield* one.Ctx.set("a", 1)
        yield* Effect.sleep(1)
        const own = two.context.get("a")
        yield* Effect.promise(async () => {
          await tick()
          two.context.set("b", one.context.get("a") + 1)
        })
        return [own, yield* two.Ctx.get("b")]
      })
      print(await Effect.runPromise(program.pipe(Effect.provide(one.ContextLayer))))
      print(await Effect.runPromise(program.pipe(Effect.provide([two.compat.layer, one.compat.layer, two.Ctx.layer({})]))))`,
    prints: [[1, 2], [1, 2]]
  },
  "follow the same promise tasks": {
    code: `
      const tick = () => new Promise((resolve) => setTimeout(resolve, 1))
      print(await one.context.run({ a: 1 }, async () => {
        await tick()
        const bound = two.compat.bind(() => one.context.get("a"))
        const child = await two.compat.fork(async () => {
          await tick()
          two.context.set("a", 2)
          return one.context.get("a")
        })
        const effect = await two.compat.runPromise(Effect.delay(one.Ctx.get("a"), 1))
        return [two.context.get("a"), bound(), child, effect]
      }))`,
    prints: [[1, 1, 2, 1]]
  },
  "fork as the context says, whichever copy defined it": {
    code: `
      for (const fork of ["copy", "chain", "share", "deepCopy"]) {
        class Here extends one.Context.Tag("copies/" + fork)({ fork }) {}
        class There extends two.Context.Tag("copies/" + fork)({ fork }) {}
        const program = Effect.gen(function*() {
          const child = yield* Effect.fork(Effect.zipRight(Effect.sleep(2), Effect.zip(There.set("mine", 1), There.get("a"))))
          yield* Here.set("a", 1)
          const [, seen] = yield* child
          return [fork, seen ?? null, yield* Here.has("mine")]
        })
        print(await Effect.runPromise(program.pipe(Here.provide({}))))
      }`,
    prints: [["copy", null, false], ["chain", 1, false], ["share", 1, true], ["deepCopy", null, false]]
  },
  "list what either attached": {
    code: `
      const keys = Effect.map(one.Context.attached, (all) => all.map(({ key }) => key))
      print(await Effect.runPromise(keys.pipe(Effect.provide(two.ContextLayer))))`,
    prints: [["aiocontext/Ctx"]]
  },
  "throw the same errors": {
    code: `
      const failing = (f) => { try { return f() } catch (error) { return error._tag } }
      print([
        failing(() => two.context.get("a")),
        Effect.runSync(Effect.sync(() => failing(() => two.context.get("a")))),
        Effect.runSync(Effect.sync(() => failing(() => two.context.get("a"))).pipe(Effect.provide(one.compat.layer))),
        one.context.run({}, () => failing(() => two.context.getOrThrow("a")))
      ])`,
    prints: [["NoTaskError", "BridgeError", "NotAttachedError", "KeyNotFoundError"]]
  }
}

describe("two copies in one process", () => {
  const project = makeProject()
  beforeAll(async () => {
    await project.install(inject("tarball"), effect)
    const modules = join(project.folder, "node_modules")
    cpSync(join(modules, "aiocontext"), join(modules, "another"), { recursive: true })
  })
  afterAll(project.remove)

  const ways: Record<
    string,
    { readonly extension: string; readonly head: string; readonly wrap: (code: string) => string }
  > = {
    "both imported": {
      extension: "mjs",
      head: `import { Effect } from "effect"; import * as one from "aiocontext"; import * as two from "another"`,
      wrap: (code) => code
    },
    "one required, in an ES module": {
      extension: "mjs",
      head:
        `import { createRequire } from "node:module"; import { Effect } from "effect"; import * as one from "aiocontext"
        const two = createRequire(import.meta.url)("another")`,
      wrap: (code) => code
    },
    "both required, beside a required Effect": {
      extension: "cjs",
      head: `const { Effect } = require("effect"); const one = require("aiocontext"); const two = require("another")`,
      wrap: (code) => `void (async () => {${code}\n})()`
    },
    "one imported beside an imported Effect, in a program that requires Effect": {
      extension: "cjs",
      head: `const { Effect } = require("effect"); const two = require("another")`,
      wrap: (code) => `void (async () => { const one = await import("aiocontext")\n${code}\n})()`
    }
  }
  for (const [way, { extension, head, wrap }] of Object.entries(ways)) {
    describe(way, () => {
      let printed: Record<string, ReadonlyArray<unknown>>
      beforeAll(async () => {
        const file = `${way.replaceAll(/\W+/g, "-")}.${extension}`
        const code = Object.entries(programs).map(([name, { code }]) => `
          try {
            const print = (value) => { (printed[${JSON.stringify(name)}] ??= []).push(value) }
            ${code}
          } catch (error) {
            printed[${JSON.stringify(name)}] = [String(error?.stack ?? error)]
          }`)
        project.write(
          file,
          `${head}\n${wrap(`const printed = {}\n${code.join("")}\nconsole.log(JSON.stringify(printed))`)}`
        )
        printed = JSON.parse(await project.run(process.execPath, "--no-warnings", file))
      })
      for (const [name, { prints }] of Object.entries(programs)) {
        it(name, () => expect(printed[name]).toEqual(prints))
      }
    })
  }

  it("require gives the module that import gives", async () => {
    project.write(
      "same.mjs",
      `import { createRequire } from "node:module"
      import * as imported from "aiocontext"
      console.log(createRequire(import.meta.url)("aiocontext").Ctx === imported.Ctx)`
    )
    expect(await project.run(process.execPath, "--no-warnings", "same.mjs")).toBe("true\n")
  })
})
