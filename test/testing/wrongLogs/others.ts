/** Wrong in snapshots, between several writers, and in doorbells. */
import { Effect, Either } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { commitNow, type Disk, type Held, newDisk, parts, refusal, right, rowOf } from "../rightLog.js"
import { calling, differing, type Log, type WrongLog, yielding } from "./wrong.js"

const state: ReadonlyArray<WrongLog> = [
  differing(
    "keeps what was removed",
    {
      write: (disk, rows) => {
        parts.write(disk, rows)
        for (const { events, revision } of rows) {
          for (const { _tag, key } of events)
            if (_tag === "Delete") disk.state.set(key, { key, value: null, revision })
        }
      }
    },
    [
      "snapshot-is-the-fold",
      "previous-values",
      "replay-keeps-the-state",
      "state-outlives-history",
      "snapshot-of-one-moment"
    ]
  ),
  differing(
    "orders keys by code unit",
    {
      select: ({ state }, selector) =>
        [...state.values()]
          .filter(({ key }) => ChangeLog.matches(selector, key))
          .sort((a, b) => (a.key < b.key ? -1 : 1))
          .map((kept) => ({ ...kept }))
    },
    ["snapshot-is-the-fold", "snapshot-of-one-moment"]
  ),
  differing(
    "matches a prefix inside of a segment",
    {
      select: (disk, selector) =>
        parts
          .select(disk, ChangeLog.prefix(""))
          .filter(({ key }) =>
            selector._tag === "Prefix"
              ? key.startsWith(selector.prefix.replace(/\/$/, ""))
              : ChangeLog.matches(selector, key)
          )
    },
    ["snapshot-is-the-fold"]
  ),
  differing(
    "tells the same value before every change of a commit",
    {
      write: (disk, rows) => {
        const first = new Map<string, unknown>()
        const told = rows.map(
          (row): Held =>
            parts.seal({
              ...row,
              previous: row.events.map(({ key }, n) => {
                if (!first.has(key)) first.set(key, row.previous?.[n])
                return first.get(key) as never
              })
            })
        )
        parts.write(disk, told)
      }
    },
    ["previous-values"]
  ),
  calling(
    "applies a duplicate to the state",
    (disk, { commit }) => ({
      commit: (entries) =>
        Effect.tap(commit(entries), () =>
          Effect.sync(() => {
            for (const { changes } of entries) {
              for (const change of changes) {
                if (change._tag === "Delete") disk.state.delete(change.key)
                else
                  disk.state.set(change.key, {
                    key: change.key,
                    value: change.value,
                    revision: disk.state.get(change.key)?.revision ?? disk.head
                  })
              }
            }
          })
        )
    }),
    ["replay-keeps-the-state"]
  ),
  differing(
    "forgets the state with the history",
    {
      compact: (disk, upTo) => {
        parts.compact(disk, upTo)
        for (const { key, revision } of [...disk.state.values()])
          if (revision.seq <= disk.floor.seq) disk.state.delete(key)
      }
    },
    ["state-outlives-history"]
  ),
  calling(
    "takes a snapshot a moment after it has looked at the head",
    (disk, rightly) => ({
      snapshot: (selector) =>
        Effect.flatMap(rightly.snapshot(selector), ({ revision }) =>
          Effect.map(yielding, () => ({ revision, entries: parts.select(disk, selector) }))
        )
    }),
    ["snapshot-of-one-moment"]
  ),
  calling(
    "gives an empty snapshot without state",
    (disk, rightly, state) => ({
      snapshot: (selector) =>
        state === "latest"
          ? rightly.snapshot(selector)
          : Effect.orElse(rightly.snapshot(selector), () =>
              Effect.succeed({ revision: disk.head, entries: [] })
            )
    }),
    ["wrong-selectors", "no-state-no-snapshot"]
  )
]

/** A commit that decides at one moment and writes at another. */
const inTwoSteps =
  (disk: Disk, decide: "numbers" | "ids"): Log["commit"] =>
  (entries) =>
    Effect.gen(function* () {
      const refused = refusal(entries, parts)
      if (refused !== undefined) return yield* refused
      const { seq } = disk.head
      const fresh = parts.fresh(disk, entries)
      for (let n = 0; n < 5; n++) yield* yielding
      if (decide === "ids") {
        return yield* commitNow(disk, fresh, { ...parts, fresh: () => fresh }).pipe(
          Either.map(({ revisions }) => ({ revisions, duplicates: entries.length - revisions.length }))
        )
      }
      let next = seq
      const rows = parts
        .fresh(disk, entries)
        .map((entry) => rowOf(disk, entry, { ...parts, number: () => ++next }))
      parts.write(disk, rows)
      if (rows.length > 0) parts.ring(disk)
      return { revisions: rows.map(({ revision }) => revision), duplicates: entries.length - rows.length }
    })

const others: ReadonlyArray<WrongLog> = [
  calling("takes its numbers before it waits", (disk) => ({ commit: inTwoSteps(disk, "numbers") }), [
    "one-order-for-all"
  ]),
  calling("looks for ids before it waits", (disk) => ({ commit: inTwoSteps(disk, "ids") }), [
    "id-once-for-all"
  ]),
  {
    name: "keeps its revisions in the handle",
    breaks: ["one-order-for-all", "id-once-for-all", "handles-see-each-other", "rings-after-commit"],
    open: (_, state) => right(newDisk(), state)
  },
  calling(
    "rings before it commits",
    (disk) => ({
      commit: (entries) =>
        Effect.gen(function* () {
          parts.ring(disk)
          for (let n = 0; n < 10; n++) yield* yielding
          return yield* commitNow(disk, entries, { ...parts, ring: () => {} })
        })
    }),
    ["rings-after-commit", "silent-after-release"]
  ),
  calling(
    "rings after the release",
    (disk) => ({ doorbell: (ring) => Effect.sync(() => void disk.bells.add(ring)) }),
    ["silent-after-release"]
  ),
  calling(
    "fails for good on more than 20 entries",
    (_, { commit }) => ({
      commit: (entries) =>
        entries.length > 20
          ? Effect.fail(
              new ChangeLog.ChangeLogError({ reason: "TooLarge", message: "too many", outcome: "NotStored" })
            )
          : commit(entries)
    }),
    ["values-come-back", "keys-and-ids-come-back"]
  )
]

export const wrongOthers: ReadonlyArray<WrongLog> = [...state, ...others]
