/** Wrong in what is appended and read, and in ids. */
import { Effect } from "effect"
import { firstOfEachId, invalid, parts, right } from "../rightLog.js"
import { calling, differing, known, type WrongLog } from "./wrong.js"

const appending: ReadonlyArray<WrongLog> = [
  {
    name: "begins with a tag",
    breaks: ["starts-empty"],
    open: (disk, state) => {
      if (known(disk, "begun", disk.head) === disk.head) {
        disk.head = { ...disk.head, tag: 7 }
        disk.floor = disk.head
      }
      return right(disk, state)
    }
  },
  differing(
    "leaves out a number after every tenth",
    { number: ({ head }) => head.seq + (head.seq % 10 === 2 ? 2 : 1) },
    [
      "seq-from-one",
      "exclusive-and-complete",
      "new-ones-of-a-replay",
      "goes-on-after-a-refusal",
      "interrupted-is-all-or-none",
      "compacted-below-the-floor",
      "compaction-moves-no-head",
      "no-hole-while-compacting",
      "beyond-the-head",
      "one-order-for-all",
      "id-once-for-all",
      "writes-under-a-recorder"
    ]
  ),
  differing("counts its tags", { tag: ({ head }) => head.seq + 1 }, ["tags-are-random"]),
  calling(
    "gives revisions with tags of its own making",
    (_, { commit }) => ({
      commit: (entries) =>
        Effect.map(commit(entries), ({ duplicates, revisions }) => ({
          duplicates,
          revisions: revisions.map((revision) => ({ ...revision, tag: 1 }))
        }))
    }),
    ["gives-the-revision"]
  ),
  differing(
    "appends the entries of a commit in reverse",
    { fresh: (disk, entries) => [...parts.fresh(disk, entries)].reverse() },
    [
      "order-of-commit",
      "replay-appends-nothing",
      "id-once-in-a-commit",
      "new-ones-of-a-replay",
      "id-goes-with-its-revision",
      "values-come-back",
      "keys-and-ids-come-back",
      "one-order-for-all",
      "writes-under-a-recorder"
    ]
  ),
  calling(
    "fails on a commit of nothing",
    (_, { commit }) => ({
      commit: (entries) => (entries.length === 0 ? Effect.fail(invalid("syntax error")) : commit(entries))
    }),
    ["empty-commit"]
  )
]

const reading: ReadonlyArray<WrongLog> = [
  differing(
    "counts changes for the limit, and splits revisions",
    {
      after: (disk, seq, limit) => {
        let left = limit
        return parts.after(disk, seq, limit).flatMap((row) => {
          const events = row.events.slice(0, left)
          left -= events.length
          return events.length === 0
            ? []
            : [{ ...row, events, previous: row.previous?.slice(0, events.length) }]
        })
      }
    },
    ["never-split", "one-order-for-all"]
  ),
  differing(
    "gives the revision of the cursor again",
    { after: (disk, seq, limit) => parts.after(disk, Math.max(0, seq - 1), limit) },
    ["exclusive-and-complete", "compacted-below-the-floor", "no-hole-while-compacting", "one-order-for-all"]
  ),
  differing(
    "gives one less than the limit",
    { after: (disk, seq, limit) => parts.after(disk, seq, Math.max(1, limit - 1)) },
    ["never-split", "exclusive-and-complete"]
  ),
  differing(
    "names the head in every event",
    {
      after: (disk, seq, limit) =>
        parts.after(disk, seq, limit).map((row) => ({
          ...row,
          events: row.events.map((event) => ({ ...event, revision: disk.head }))
        }))
    },
    ["events-name-their-revision"]
  )
]

const ids: ReadonlyArray<WrongLog> = [
  differing("appends a replay again", { fresh: (_, entries) => firstOfEachId(entries) }, [
    "replay-appends-nothing",
    "new-ones-of-a-replay",
    "id-goes-with-its-revision",
    "keys-and-ids-come-back",
    "id-once-for-all",
    "handles-see-each-other",
    "writes-under-a-recorder",
    "replay-keeps-the-state"
  ]),
  differing(
    "looks for ids in the log only",
    {
      fresh: ({ rows }, entries) =>
        entries.filter(({ id }) => id === undefined || !rows.some((row) => row.id === id))
    },
    ["id-once-in-a-commit"]
  ),
  differing(
    "takes a number for each duplicate",
    {
      fresh: (disk, entries) => {
        const fresh = parts.fresh(disk, entries)
        disk.head = { ...disk.head, seq: disk.head.seq + entries.length - fresh.length }
        return fresh
      }
    },
    ["replay-appends-nothing", "new-ones-of-a-replay", "id-once-for-all"]
  ),
  differing(
    "takes entries without an id that look the same for one",
    {
      fresh: (disk, entries) => {
        const seen = known(disk, "seen", new Set<string>())
        return parts.fresh(disk, entries).filter(({ changes, id }) => {
          const same = JSON.stringify([id ?? null, changes])
          return id !== undefined || (!seen.has(same) && seen.add(same))
        })
      }
    },
    ["never-split", "without-id-always-new"]
  ),
  differing(
    "knows ids for ever",
    {
      fresh: (disk, entries) => {
        const ids = known(disk, "ids", new Set<string>())
        return firstOfEachId(entries).filter(({ id }) => id === undefined || (!ids.has(id) && ids.add(id)))
      }
    },
    ["id-goes-with-its-revision", "renewal"]
  ),
  calling(
    "counts no duplicates",
    (_, { commit }) => ({
      commit: (entries) => Effect.map(commit(entries), ({ revisions }) => ({ revisions, duplicates: 0 }))
    }),
    [
      "replay-appends-nothing",
      "id-once-in-a-commit",
      "new-ones-of-a-replay",
      "id-goes-with-its-revision",
      "keys-and-ids-come-back",
      "handles-see-each-other",
      "writes-under-a-recorder"
    ]
  ),
  differing(
    "takes ids that differ by case or spaces for the same",
    {
      problem: parts.problem,
      fresh: (disk, entries) => {
        const plain = (id: string | undefined) => id?.trim().toLowerCase()
        return parts
          .fresh(disk, entries)
          .filter(
            ({ id }, n, all) =>
              id === undefined ||
              (!disk.rows.some((row) => plain(row.id) === plain(id)) &&
                all.findIndex((other) => plain(other.id) === plain(id)) === n)
          )
      }
    },
    ["keys-and-ids-come-back"]
  )
]

export const wrongReading: ReadonlyArray<WrongLog> = [...appending, ...reading, ...ids]
