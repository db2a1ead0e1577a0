/**
 * What is committed to a log in a database, written down by triggers in the same commit: so it is known also where
 * the writer was told nothing, and after the log has given it up.
 */
import type { Life } from "./place.js"

/** The log's table, and a table with a row for each revision and, with `seq` 0, for each epoch. */
export const table = "log"
export const diary = "diary"

export const noteRevision =
  `INSERT INTO ${diary} (epoch, seq, tag, id, changes)` +
  ` SELECT h.epoch, NEW.seq, NEW.tag, NEW.id, NEW.changes FROM ${table}_heads h WHERE h.feed = NEW.feed`

export const noteEpoch = `INSERT INTO ${diary} (epoch, seq, tag) VALUES (NEW.epoch, 0, 0)`

/** In the order of commits. */
export const readDiary = `SELECT epoch, seq, tag, id, changes FROM ${diary} ORDER BY nth`

/** Before a log begins another epoch: nothing of what was there is left. */
export const forget = `DELETE FROM ${table}_state; DELETE FROM ${diary}`

type Row = Readonly<Record<string, unknown>>

export const livesOf = (
  rows: ReadonlyArray<Row>,
  changesOf: (text: unknown) => unknown
): ReadonlyArray<Life> => {
  const lives = new Map<
    string,
    { readonly epoch: string; readonly revisions: Array<Life["revisions"][number]> }
  >()
  for (const { changes, epoch, id, seq, tag } of rows) {
    const name = String(epoch)
    const life = lives.get(name) ?? { epoch: name, revisions: [] }
    lives.set(name, life)
    if (Number(seq) === 0) continue
    life.revisions.push({
      seq: Number(seq),
      tag: Number(tag),
      id: id === null ? undefined : String(id),
      changes: changesOf(changes) as Life["revisions"][number]["changes"]
    })
  }
  for (const { revisions } of lives.values()) revisions.sort((a, b) => a.seq - b.seq)
  return [...lives.values()]
}
