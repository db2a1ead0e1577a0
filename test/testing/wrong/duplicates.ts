/** Wrong in what it does with records that come again, or that break a constraint. */
import { Effect } from "effect"
import { StorageError } from "../../../src/Storage.js"
import type { Row } from "../../support/laws/subjects.js"
import { clashes, commit, copy, differing, newOnes, poison, type Save, saving, type Wrong } from "./right.js"

/** Takes ids for the same that become the same. */
const comparing = (name: string, as: (id: string) => string): Wrong =>
  differing(
    name,
    {
      fresh: (held, batch) => {
        const known = new Set(held.map(({ id }) => as(id)))
        return batch.filter(({ id }: Row) => !known.has(as(id)) && known.add(as(id)))
      }
    },
    ["like-ids-are-others"]
  )

export const wrongDuplicates: ReadonlyArray<Wrong> = [
  comparing("compares ids without case", (id) => id.toLowerCase()),
  comparing("compares ids without spaces at their end", (id) => id.trimEnd()),
  differing("appends what it holds already", { fresh: (_, batch) => batch }, [
    "again-is-once",
    "order-after-duplicates",
    "known-among-new",
    "twice-in-a-batch",
    "duplicates-are-counted",
    "first-one-stays",
    "retry-after-interruption",
    "order-after-interruption",
    "same-records-at-once",
    "known-to-all-handles",
    "known-after-reopening",
    "prepared-runs-again",
    "lost-answer-is-once",
    "lost-part-is-completed",
    "time-out-is-once"
  ]),
  saving(
    "takes a batch with a known record in it for known",
    (disk, { save }) =>
      (batch) =>
        newOnes(disk.rows, batch).length < newOnes([], batch).length
          ? Effect.succeed({ duplicates: batch.length })
          : (save(batch) as Save),
    [
      "known-among-new",
      "order-after-duplicates",
      "duplicates-are-counted",
      "first-one-stays",
      "known-to-all-handles",
      "known-after-reopening",
      "lost-part-is-completed"
    ]
  ),
  saving(
    "fails on a known record",
    (disk, { save }) =>
      (batch) =>
        newOnes(disk.rows, batch).length < batch.length
          ? Effect.fail(poison("duplicate key"))
          : (save(batch) as Save),
    [
      "lost-answer-is-once",
      "order-after-duplicates",
      "again-is-once",
      "known-among-new",
      "twice-in-a-batch",
      "duplicates-are-counted",
      "first-one-stays",
      "retry-after-interruption",
      "order-after-interruption",
      "known-to-all-handles",
      "known-after-reopening",
      "prepared-runs-again",
      "lost-part-is-completed",
      "time-out-is-once"
    ]
  ),
  differing(
    "looks for duplicates only among what it holds",
    {
      fresh: (held, batch) => batch.filter(({ id }) => held.every((row) => row.id !== id))
    },
    ["twice-in-a-batch", "duplicates-are-counted", "first-one-stays"]
  ),
  saving(
    "tells of new records as duplicates",
    (_, { save }) =>
      (batch) =>
        Effect.as(save(batch), { duplicates: batch.length }),
    ["duplicates-are-counted"]
  ),
  saving(
    "changes the record that it holds",
    (disk, { save }) =>
      (batch) =>
        Effect.tap(save(batch) as Save, () =>
          Effect.sync(() => {
            disk.rows = disk.rows.map((row) => copy(batch.filter(({ id }) => id === row.id).at(-1) ?? row))
          })
        ),
    ["first-one-stays"]
  ),
  differing(
    "swallows a record that breaks any constraint",
    {
      fresh: (held, batch) => {
        const tags = new Set(held.map(({ tag }) => tag))
        return newOnes(held, batch).filter(({ tag }) => {
          const isNew = tag === null || tag === undefined || !tags.has(tag)
          tags.add(tag)
          return isNew
        })
      }
    },
    ["clash-is-refused", "clash-in-a-batch", "clash-is-set-aside"]
  ),
  differing(
    "checks a constraint only against what it holds",
    { clashes: (held, fresh) => fresh.some((row) => clashes(held, [row])) },
    ["clash-in-a-batch"]
  ),
  saving(
    "calls a broken constraint a failure that passes",
    (disk) => (batch) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.mapError(commit(disk, batch), (error) =>
          error instanceof StorageError && error.bad === undefined
            ? new StorageError({ kind: "Transient", outcome: "NotStored", message: error.message })
            : error
        )
      ),
    ["clash-is-poison", "clash-is-set-aside"]
  )
]
