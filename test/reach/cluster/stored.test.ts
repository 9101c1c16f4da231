/** What the database of a cluster holds of a context. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { Postgres, wherePostgres } from "../databases.js"
import { id, otherId } from "../request.js"
import type { As, Storage } from "./app.js"
import { elsewhere, folder } from "./runners.js"

const sender: As = { id, tenant: "tenant-of-a", roles: ["role-of-a"], retries: 987_654, token: "secret-of-a" }
const payer: As = { id: otherId, tenant: "tenant-of-b", roles: ["role-of-b"], retries: 876_543, token: "secret-of-b" }

const notListed = ["tenant-of", "role-of", "987654", "876543", "secret-of", "baggage", "tenant=", "roles=", "locale="]

/** Messages and a whole workflow, of a context that may write its id. */
const used = (storage: Storage) =>
  Effect.gen(function*() {
    const runner = yield* elsewhere({ decorated: true, storage, keys: ["id"] })
    return yield* Effect.promise(async () => {
      expect(await runner.call("save", sender, "thing", "name-of-a-message")).toMatchObject({ id, tenant: "none" })
      const executionId = await runner.call("start", sender, "number-of-an-order")
      await runner.call("pay", payer, executionId, "paid")
      await runner.call("execute", payer, "number-of-an-order")
      const stored = JSON.stringify(await runner.call("stored", undefined))
      await runner.kill()
      return stored
    })
  })

const check = (stored: string) => {
  // the search finds what is there: payloads, and the key that is listed
  for (const there of ["name-of-a-message", "number-of-an-order", id, otherId]) {
    expect([there, stored.includes(there)]).toEqual([there, true])
  }
  for (const secret of notListed) {
    expect([secret, stored.includes(secret)]).toEqual([secret, false])
  }
}

describe("what is stored is what `keys` says: no secret, and no key that is not listed", () => {
  it.scopedLive("in the rows and the very file of SQLite", () =>
    Effect.gen(function*() {
      const path = yield* folder
      check(yield* used({ sqlite: `${path}/cluster.db` }))
      // with the write-ahead log
      check(readdirSync(path).map((file) => readFileSync(`${path}/${file}`, "latin1")).join("\n"))
    }), 300_000)
  wherePostgres(() => {
    it.scopedLive("in the rows of PostgreSQL", () =>
      Effect.gen(function*() {
        check(yield* used({ postgres: `postgres://postgres@127.0.0.1:${yield* Postgres}/postgres` }))
      }).pipe(Effect.provide(Postgres.layer)), 300_000)
  })
})
