/**
 * Owners in processes of their own: one that is stopped for longer than its lease and goes on saves nothing more, and one
 * that is killed makes room at once.
 */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { startChild } from "../support/processes/childProcess.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"
import type { OwnerSetting } from "./processes/ownerChild.js"

/** A database with a table of what was saved, and the generations in it. */
const sqlite = Effect.gen(function* () {
  const filename = yield* tempFile
  const db = yield* openPlain(filename)
  db.exec("CREATE TABLE writes (n integer PRIMARY KEY, generation int)")
  const saved = Effect.sync(
    () => db.prepare("SELECT generation FROM writes ORDER BY n").pluck().all() as ReadonlyArray<number>
  )
  return { at: { filename }, saved }
})

const postgres = (server: string) =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const sql = yield* openClient(url)
    yield* sql("CREATE TABLE writes (n bigserial, generation int)")
    const saved = Effect.map(sql("SELECT generation FROM writes ORDER BY n"), (rows) =>
      rows.map(({ generation }) => Number(generation))
    )
    return { at: { url }, saved }
  })

const servers = databaseUrls().slice(0, 1)

const script = bundled("test/faults/processes/ownerChild.ts")

for (const [name, database] of [
  ["SQLite", sqlite],
  ...servers.map(({ name, url }) => [name, postgres(url)] as const)
] as const) {
  describe(`an owner, ${name}`, () => {
    it.scopedLive(
      "that is stopped for longer than its lease and then goes on saves nothing more",
      () =>
        Effect.gen(function* () {
          const { at, saved } = yield* database
          const file = yield* script
          const start = (setting: Omit<OwnerSetting, "lease" | "locks">) =>
            startChild(file, JSON.stringify({ ...at, lease: 500, locks: true, ...setting }))
          const former = yield* start({ who: "former", stopsAfter: 3 })
          yield* former.said("stopping")
          const next = yield* start({ who: "next", stopsAfter: 0 })
          yield* next.said("saved", 3)
          former.kill("SIGCONT")
          yield* former.said("lost")
          yield* former.ended
          const seen = next.lines.length
          yield* next.said("saved", seen + 3)
          expect(former.lines.filter((line) => line === "saved").length).toBe(3)
          const generations = yield* saved
          expect(generations).toEqual([1, 1, 1, ...generations.slice(3).map(() => 2)])
        }),
      60_000
    )
  })
}

for (const { name, url } of servers) {
  describe(`an owner, ${name}`, () => {
    it.scopedLive(
      "that is killed makes room within two seconds, long before its lease is over",
      () =>
        Effect.gen(function* () {
          const { at, saved } = yield* postgres(url)
          const file = yield* script
          const start = (who: string) =>
            startChild(file, JSON.stringify({ ...at, who, lease: 3_600_000, locks: true, stopsAfter: 0 }))
          const former = yield* start("former")
          yield* former.said("saved", 3)
          const next = yield* start("next")
          yield* next.said("ready")
          former.kill("SIGKILL")
          const [took] = yield* Effect.timed(next.said("owns"))
          expect(Duration.toMillis(took)).toBeLessThan(2_000)
          yield* next.said("saved")
          const generations = yield* saved
          expect(generations).toEqual([...generations].sort((a, b) => a - b))
          expect(new Set(generations)).toEqual(new Set([1, 2]))
        }),
      60_000
    )
  })
}
