/** Wrong in what is refused, in commits that are all or none, and in data. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { validateEntry } from "../../../src/internal/log/entry.js"
import { commitNow, type Disk, parts, refusal } from "../rightLog.js"
import { calling, differing, type Log, type WrongLog, yielding } from "./wrong.js"

/** Commits what can be committed of the entries before the first bad one. */
const inPart =
  (disk: Disk): Log["commit"] =>
  (entries) =>
    Effect.suspend(() => {
      const refused = refusal(entries, parts)
      if (refused?.index === undefined) return commitNow(disk, entries, parts)
      return Effect.zipRight(commitNow(disk, entries.slice(0, refused.index), parts), refused)
    })

const allOrNone: ReadonlyArray<WrongLog> = [
  calling("appends what stands before a bad entry", (disk) => ({ commit: inPart(disk) }), [
    "conditions-need-an-index",
    "malformed-is-refused",
    "too-large-is-refused",
    "goes-on-after-a-refusal",
    "writes-under-a-recorder"
  ]),
  calling(
    "takes a number for what it refuses",
    (disk, { commit }) => ({
      commit: (entries) =>
        Effect.tapError(commit(entries), () =>
          Effect.sync(() => {
            const rest = disk.rows.at(-1)?.revision ?? disk.head
            disk.head = { ...rest, seq: disk.head.seq + 1 }
          })
        )
    }),
    [
      "conditions-need-an-index",
      "malformed-is-refused",
      "no-json-is-refused",
      "too-large-is-refused",
      "goes-on-after-a-refusal",
      "writes-under-a-recorder"
    ]
  ),
  calling(
    "commits one entry after the other",
    (_, { commit }) => ({
      commit: (entries) =>
        Effect.suspend(() => {
          const refused = refusal(entries, parts)
          if (refused !== undefined) return Effect.fail(refused)
          const each = Effect.forEach(entries, (entry) => Effect.zipRight(yielding, commit([entry])))
          return Effect.map(each, (all) => ({
            revisions: all.flatMap(({ revisions }) => revisions),
            duplicates: all.reduce((sum, { duplicates }) => sum + duplicates, 0)
          }))
        })
    }),
    ["interrupted-is-all-or-none"]
  )
]

const errors: ReadonlyArray<WrongLog> = [
  differing(
    "takes whatever has changes",
    {
      problem: (entry) => {
        const { changes } = (entry ?? {}) as { readonly changes?: unknown }
        return Array.isArray(changes) && changes.length > 0 && changes.every(Boolean) ? undefined : "nothing"
      }
    },
    ["conditions-need-an-index", "malformed-is-refused", "no-json-is-refused"]
  ),
  calling(
    "names the first entry, whatever is wrong",
    (_, { commit }) => ({
      commit: (entries) =>
        Effect.mapError(commit(entries), (error) =>
          error._tag === "Conflict"
            ? new ChangeLog.Conflict({ ...error, index: 0 })
            : new ChangeLog.ChangeLogError({ ...error, index: 0 })
        )
    }),
    ["conditions-need-an-index", "malformed-is-refused", "too-large-is-refused", "writes-under-a-recorder"]
  ),
  calling(
    "takes a limit of no number for all",
    (_, { read }) => ({
      read: ({ after, limit }) =>
        read({ after, limit: Number.isSafeInteger(limit) && limit > 0 ? limit : 1000 })
    }),
    ["wrong-limits"]
  ),
  calling(
    "takes any selector for everything",
    (_, { snapshot }, state) => ({
      snapshot: (selector) =>
        state === "latest"
          ? Effect.orElse(snapshot(selector), () => snapshot(ChangeLog.prefix("")))
          : Effect.fail(new ChangeLog.ChangeLogError({ reason: "NoState", message: "no state" }))
    }),
    ["wrong-selectors"]
  ),
  calling("finds nothing wrong before it commits", () => ({ check: () => undefined }), [
    "check-agrees-with-commit"
  ]),
  differing("takes values that are no JSON", { problem: (entry) => validateEntry(entry) }, [
    "no-json-is-refused"
  ]),
  differing("takes what is too large", { tooLarge: () => false }, ["too-large-is-refused"])
]

const data: ReadonlyArray<WrongLog> = [
  differing(
    "trims the text of values",
    {
      keep: (change) =>
        change._tag === "Put" && typeof change.value === "string"
          ? { ...change, value: change.value.trim() }
          : change
    },
    ["values-come-back"]
  ),
  differing("normalises keys", { keep: (change) => ({ ...change, key: change.key.normalize("NFC") }) }, [
    "keys-and-ids-come-back"
  ])
]

export const wrongErrors: ReadonlyArray<WrongLog> = [...allOrNone, ...errors, ...data]
