/** Histories over a log in a SQLite file: one file and two connections for all of them. */
import { Effect, type Scope } from "effect"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { openPlain, tempFile } from "../../support/sqlite/sqlite.js"
import type { OpenPlace } from "./place.js"
import type { Sample } from "./schedule.js"
import { diary, forget, livesOf, noteEpoch, noteRevision, readDiary, table } from "./tables.js"
import type { Value } from "./validators.js"

export const sqlitePlaces: Effect.Effect<OpenPlace, unknown, Scope.Scope> = Effect.gen(function* () {
  const filename = yield* tempFile
  // Commits ring in the process: nobody needs to poll.
  const open = (state: Sample["state"]) =>
    SqliteChangeLog.make<Value>({ filename, table, feed: state, state, poll: "1 day" })
  const pair = (state: Sample["state"]) => Effect.all([open(state), open(state)])
  const logsOf = { latest: yield* pair("latest"), none: yield* pair("none") }
  const db = yield* openPlain(filename)
  db.exec(`
    CREATE TABLE ${diary} (nth INTEGER PRIMARY KEY, epoch TEXT, seq INTEGER, tag INTEGER, id TEXT, changes TEXT);
    CREATE TRIGGER note_revision AFTER INSERT ON ${table} BEGIN ${noteRevision}; END;
    CREATE TRIGGER note_epoch AFTER UPDATE OF epoch ON ${table}_heads BEGIN ${noteEpoch}; END;
  `)
  return ({ state }) =>
    Effect.gen(function* () {
      const logs = logsOf[state]
      db.exec(forget)
      yield* logs[0].renewEpoch
      return {
        logs,
        lives: Effect.sync(() =>
          livesOf(db.prepare(readDiary).all() as ReadonlyArray<Record<string, unknown>>, (text) =>
            JSON.parse(String(text))
          )
        ),
        fails: false,
        isUp: Effect.succeed(true),
        up: Effect.void,
        evicts: false,
        fault: () => Effect.void,
        heal: Effect.void
      }
    }).pipe(Effect.orDie)
})
