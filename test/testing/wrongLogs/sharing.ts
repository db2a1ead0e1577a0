/** Wrong in what they share with their writers and readers. */
import type * as ChangeLog from "../../../src/ChangeLog.js"
import { parts, right } from "../rightLog.js"
import { differing, known, type WrongLog } from "./wrong.js"

type Change = ChangeLog.Change<unknown>

const keepsChanges: WrongLog = {
  name: "keeps the changes of its writers",
  breaks: ["changes-are-taken-once"],
  open: (disk, state) => {
    const written = known(disk, "written", new Map<object, ReadonlyArray<Change>>())
    let writing: ReadonlyArray<ChangeLog.Entry<unknown>> = []
    return right(disk, state, {
      fresh: (disk, entries) => {
        writing = parts.fresh(disk, entries)
        return writing
      },
      write: (disk, rows) => {
        for (const [n, row] of rows.entries()) written.set(row, writing[n]?.changes ?? [])
        parts.write(disk, rows)
      },
      after: (disk, seq, limit) =>
        parts.after(disk, seq, limit).map((row) => ({
          ...row,
          events: (written.get(row) ?? []).map((change) => ({ ...change, revision: row.revision }))
        }))
    })
  }
}

const keepsValues: WrongLog = {
  name: "writes the state from the writer's objects",
  breaks: ["state-is-of-the-log"],
  open: (disk, state) => {
    const last = known(disk, "last", new Map<string, Change>())
    return right(disk, state, {
      keep: (change) => {
        last.set(change.key, change)
        return structuredClone(change)
      },
      write: (disk, rows) => {
        parts.write(disk, rows)
        for (const [key, kept] of disk.state) {
          const change = last.get(key)
          const isNew = rows.some(({ revision }) => revision === kept.revision)
          if (isNew && change?._tag === "Put") disk.state.set(key, { ...kept, value: change.value })
        }
      }
    })
  }
}

export const wrongSharing: ReadonlyArray<WrongLog> = [
  differing("gives readers the objects that it keeps", { seal: (row) => row }, ["readers-share-nothing"]),
  keepsChanges,
  keepsValues
]
