/** Wrong when several handles work on one place, and in what is prepared. */
import { Effect } from "effect"
import type { Row } from "../../support/laws/subjects.js"
import {
  check,
  clashes,
  commit,
  copy,
  newOnes,
  poison,
  right,
  type Save,
  saving,
  type Wrong
} from "./right.js"

const created = new WeakSet<object>()
const torn = new WeakSet<object>()

export const wrongHandles: ReadonlyArray<Wrong> = [
  {
    name: "fails to open where another one opens",
    breaks: ["opening-at-once", "saving-at-once", "same-records-at-once"],
    open: (disk) =>
      Effect.gen(function* () {
        const isNew = !created.has(disk)
        yield* Effect.yieldNow()
        if (isNew && created.has(disk)) return yield* Effect.fail(new Error("the table exists already"))
        created.add(disk)
        return right(disk)
      })
  },
  {
    name: "empties its place when it opens",
    breaks: [
      "opening-again",
      "kept-after-reopening",
      "adds-up-over-handles",
      "known-after-reopening",
      "reopens-after-interruption"
    ],
    open: (disk) =>
      Effect.sync(() => {
        disk.rows = []
        return right(disk)
      })
  },
  {
    name: "loads what it knew when it opened, and its own saves",
    breaks: ["handles-see-each-other"],
    open: (disk) =>
      Effect.sync(() => {
        const rightly = right(disk)
        const known = disk.rows.slice()
        const save = (batch: ReadonlyArray<Row>) =>
          Effect.tap(rightly.save(batch), () =>
            Effect.sync(() => {
              known.push(...newOnes(known, batch).map(copy))
            })
          )
        return {
          ...rightly,
          save,
          prepare: save,
          load: (query) =>
            query.page === undefined ? Effect.as(rightly.load(query), known.map(copy)) : rightly.load(query)
        }
      })
  },
  saving(
    "reads, changes and writes the whole place",
    (disk) => (batch) =>
      Effect.suspend(() => {
        const mine = { rows: disk.rows.slice() }
        return Effect.tap(commit(mine, batch), () =>
          Effect.map(Effect.yieldNow(), () => {
            disk.rows = mine.rows
          })
        )
      }),
    ["saving-at-once"]
  ),
  saving(
    "looks for duplicates, and writes later",
    (disk) => (batch) =>
      Effect.suspend(() => {
        const fresh = newOnes(disk.rows, batch)
        const error =
          check(batch) ?? (clashes(disk.rows, fresh) ? poison("another unique constraint") : undefined)
        if (error !== undefined) return Effect.fail(error)
        return Effect.map(Effect.yieldNow(), () => {
          disk.rows.push(...fresh.map(copy))
          return { duplicates: batch.length - fresh.length }
        })
      }),
    ["same-records-at-once"]
  ),
  {
    name: "knows the ids of its own saves only",
    breaks: ["known-to-all-handles", "same-records-at-once", "known-after-reopening"],
    open: (disk) =>
      Effect.sync(() => {
        const mine: Array<Row> = []
        return right(disk, {
          fresh: (_, batch) => newOnes(mine, batch),
          clashes: (_, fresh) => clashes(mine, fresh),
          write: ({ rows: all }, rows) => {
            mine.push(...rows)
            all.push(...rows)
          }
        })
      })
  },
  {
    name: "begins at the start of its place again",
    breaks: ["adds-up-over-handles"],
    open: (disk) =>
      Effect.sync(() => {
        let at = 0
        return right(disk, {
          write: ({ rows: all }, rows) => {
            all.splice(at, 0, ...rows)
            at += rows.length
          }
        })
      })
  },
  {
    name: "cannot open after a torn write",
    breaks: ["reopens-after-interruption"],
    open: (disk) =>
      Effect.suspend(() => {
        if (torn.has(disk)) return Effect.fail(new Error("unexpected end of JSON input"))
        const rightly = right(disk)
        const save = (batch: ReadonlyArray<Row>) =>
          Effect.onInterrupt(rightly.save(batch), () => Effect.sync(() => torn.add(disk)))
        return Effect.succeed({ ...rightly, save, prepare: save })
      })
  }
]

export const wrongPreparing: ReadonlyArray<Wrong> = [
  {
    name: "prepares by saving",
    breaks: [
      "prepare-stores-nothing",
      "lost-part-is-completed",
      "stored-part-is-not-repeated",
      "outage-loses-nothing"
    ],
    open: (disk) =>
      Effect.sync(() => ({
        ...right(disk),
        prepare: (batch) => Effect.runSyncExit(commit(disk, batch))
      }))
  },
  {
    name: "prepares all but the last record",
    breaks: [
      "prepared-is-saved",
      "prepared-runs-again",
      "prepare-refuses-late",
      "lost-answer-is-once",
      "lost-part-is-completed",
      "stored-part-is-not-repeated",
      "outage-loses-nothing",
      "time-out-is-once"
    ],
    open: (disk) =>
      Effect.sync(() => {
        const { save, ...rest } = right(disk)
        return { ...rest, save, prepare: (batch) => save(batch.slice(0, -1)) }
      })
  },
  {
    name: "gives a prepared batch away at its first run",
    breaks: ["prepared-runs-again"],
    open: (disk) =>
      Effect.sync(() => {
        const { save, ...rest } = right(disk)
        const prepare = (batch: ReadonlyArray<Row>): Save => {
          const once = batch.slice()
          return Effect.suspend(() => {
            const left = once.splice(0)
            return left.length === 0 ? Effect.fail(new Error("no rows")) : (save(left) as Save)
          })
        }
        return { ...rest, save, prepare }
      })
  },
  {
    name: "throws in prepare on a bad record",
    breaks: ["prepare-refuses-late"],
    open: (disk) =>
      Effect.sync(() => {
        const { save, ...rest } = right(disk)
        const prepare = (batch: ReadonlyArray<Row>) => {
          const error = check(batch)
          if (error !== undefined) throw error
          return save(batch)
        }
        return { ...rest, save, prepare }
      })
  }
]
