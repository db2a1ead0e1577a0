/** Logs of one process over one SQLite file. No poll comes here: what rings is a commit. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { tempFile } from "../../support/sqlite/sqlite.js"

const open = (filename: string) =>
  SqliteChangeLog.make<number>({ filename, table: "log", state: "latest", poll: "1 day" })

describe("two logs over one SQLite file", () => {
  it.scoped("are both rung by each commit and by a renewed epoch", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const [one, other] = yield* Effect.all([open(filename), open(filename)])
      let rings = 0
      yield* Effect.forEach([one, other], (log) => log.doorbell(() => rings++))
      yield* Effect.yieldNow()
      rings = 0
      yield* one.append([ChangeLog.put("a", 1)])
      expect(rings).toBe(2)
      yield* other.renewEpoch
      expect(rings).toBe(4)
    })
  )

  it.scoped("give each event the value before it, whichever of them has written it", () =>
    Effect.gen(function* () {
      const filename = yield* tempFile
      const [one, other] = yield* Effect.all([open(filename), open(filename)])
      const { head } = yield* one.head
      yield* one.append([ChangeLog.put("a", 1)])
      yield* other.append([ChangeLog.put("a", 2), ChangeLog.put("b", 3), ChangeLog.remove("a")])
      const revisions = yield* one.read({ after: head, limit: 10 })
      const before = revisions.map(({ previous }) =>
        previous?.map((value) => value._tag === "Some" && value.value)
      )
      expect(before).toEqual([[false], [1, false, 2]])
    })
  )
})
