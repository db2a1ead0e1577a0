/** Wrong in what is stored, in which order, when it is acknowledged, and in what is loaded. */
import { Clock, Effect } from "effect"
import { plainRow } from "../../support/laws/rows.js"
import type { Row } from "../../support/laws/subjects.js"
import { commit, copy, differing, newOnes, right, type Save, saving, type Wrong } from "./right.js"

const nothing = Effect.succeed({ duplicates: 0 })

const ghost: Row = plainRow("00000000-0000-7000-8000-ffffffffffff", { text: "not saved here" })

export const wrongSaving: ReadonlyArray<Wrong> = [
  differing("answers every page with the first one", { page: (rows, limit) => rows.slice(0, limit) }, [
    "pages-join"
  ]),
  differing(
    "counts pages from 0",
    { page: (rows, limit, page) => rows.slice(page * limit, (page + 1) * limit) },
    ["pages-join"]
  ),
  differing(
    "passes by one row too few for each page",
    { page: (rows, limit, page) => rows.slice((page - 1) * (limit - 1), (page - 1) * (limit - 1) + limit) },
    ["pages-join"]
  ),
  differing(
    "shows a row of another place until its first save",
    { load: ({ rows }) => (rows.length === 0 ? [ghost] : rows.map(copy)) },
    ["empty-at-first", "equal-or-refused"]
  ),
  saving(
    "stores no record that comes alone",
    (_, { save }) =>
      (batch) =>
        batch.length === 1 ? nothing : (save(batch) as Save),
    [
      "one-record",
      "batches-add-up",
      "saves-when-run",
      "order-of-batches",
      "acknowledged-means-committed",
      "no-success-without-rows",
      "many-small-saves",
      "first-one-stays",
      "clash-is-refused",
      "goes-on-after-bad-records",
      "wrong-query-fails",
      "nothing-after-interruption",
      "opening-at-once",
      "handles-see-each-other",
      "prepare-refuses-late",
      "stored-part-is-not-repeated",
      "handed-back-and-usable",
      "clash-is-set-aside",
      "equal-or-refused"
    ]
  ),
  saving(
    "loses the last record of a batch of more than 30",
    (_, { save }) =>
      (batch) =>
        save(batch.length > 30 ? batch.slice(0, -1) : batch) as Save,
    ["whole-batch", "greatest-batch", "no-success-without-rows"]
  ),
  saving(
    "fails on an empty batch",
    (_, { save }) =>
      (batch) =>
        batch.length === 0 ? Effect.fail(new Error("syntax error at end of input")) : (save(batch) as Save),
    ["empty-batch"]
  ),
  saving(
    "writes nothing over its limit of 100, and says nothing",
    (_, { save }) =>
      (batch) =>
        batch.length > 100 ? nothing : (save(batch) as Save),
    ["greatest-batch", "no-success-without-rows"]
  ),
  differing(
    "writes its place anew from each batch",
    {
      write: (disk, rows) => {
        if (rows.length > 0) disk.rows = rows
      }
    },
    [
      "batches-add-up",
      "like-ids-are-others",
      "order-of-batches",
      "order-after-duplicates",
      "loads-in-order",
      "acknowledged-means-committed",
      "no-success-without-rows",
      "many-small-saves",
      "known-among-new",
      "duplicates-are-counted",
      "first-one-stays",
      "retry-after-a-part",
      "goes-on-after-bad-records",
      "wrong-query-fails",
      "nothing-after-interruption",
      "retry-after-interruption",
      "order-after-interruption",
      "free-after-interruption",
      "opening-at-once",
      "opening-again",
      "handles-see-each-other",
      "saving-at-once",
      "same-records-at-once",
      "known-to-all-handles",
      "adds-up-over-handles",
      "known-after-reopening",
      "reopens-after-interruption",
      "prepared-is-saved",
      "lost-answer-is-once",
      "lost-part-is-completed",
      "stored-part-is-not-repeated",
      "outage-loses-nothing",
      "time-out-is-once",
      "account-balances",
      "query-sees-the-saves-before",
      "handed-back-and-usable",
      "bad-record-is-set-aside",
      "clash-is-set-aside"
    ]
  ),
  saving(
    "writes into the records that it is given",
    (_, { save }) =>
      (batch) =>
        Effect.tap(save(batch) as Save, () =>
          Effect.sync(() => {
            for (const row of batch) Object.assign(row, { text: `${row.text}, stored` })
          })
        ),
    [
      "records-unchanged",
      "one-record",
      "whole-batch",
      "again-is-once",
      "wrong-query-fails",
      "random-rows",
      "null-is-not-empty",
      "keeps-text",
      "keeps-integers",
      "keeps-bigints",
      "keeps-doubles",
      "minus-zero-is-zero",
      "keeps-dates",
      "keeps-json",
      "keeps-bytes",
      "hard-text",
      "long-text"
    ]
  ),
  {
    name: "saves when it is called",
    breaks: ["saves-when-run"],
    open: (disk) =>
      Effect.sync(() => ({
        ...right(disk),
        save: (batch) => {
          const ended = Effect.runSyncExit(commit(disk, batch))
          return ended
        }
      }))
  },
  {
    name: "names a maxBatch that is no count",
    breaks: ["properties-are-valid"],
    open: (disk) => Effect.sync(() => ({ ...right(disk), maxBatch: 120.5 }))
  },
  differing(
    "reads a text for its json",
    { load: ({ rows }) => rows.map((row) => ({ ...copy(row), json: JSON.stringify(row.json) })) },
    [
      "same-data",
      "one-record",
      "whole-batch",
      "batches-add-up",
      "again-is-once",
      "first-one-stays",
      "wrong-query-fails",
      "retry-after-interruption",
      "free-after-interruption",
      "handles-see-each-other",
      "kept-after-reopening",
      "prepared-is-saved",
      "handed-back-and-usable",
      "random-rows",
      "null-is-not-empty",
      "keeps-text",
      "keeps-integers",
      "keeps-bigints",
      "keeps-doubles",
      "minus-zero-is-zero",
      "keeps-dates",
      "keeps-json",
      "keeps-bytes",
      "hard-text",
      "long-text"
    ]
  ),
  differing("takes away what it has loaded", { load: (disk) => disk.rows.splice(0) }, [
    "load-changes-nothing",
    "wrong-query-fails",
    "free-after-interruption",
    "handles-see-each-other",
    "reopens-after-interruption",
    "account-balances",
    "query-sees-the-saves-before"
  ]),
  differing("answers with its own array", { load: ({ rows }) => rows }, ["result-is-a-snapshot"]),
  differing("turns each batch round", { write: (disk, rows) => disk.rows.push(...rows.reverse()) }, [
    "order-in-a-batch",
    "order-of-batches",
    "order-after-duplicates",
    "loads-in-order",
    "order-after-interruption",
    "adds-up-over-handles",
    "lost-answer-is-once",
    "lost-part-is-completed",
    "stored-part-is-not-repeated",
    "outage-loses-nothing",
    "time-out-is-once"
  ]),
  differing("puts each batch in front", { write: (disk, rows) => disk.rows.unshift(...rows) }, [
    "order-of-batches",
    "order-after-duplicates",
    "loads-in-order",
    "order-after-interruption",
    "adds-up-over-handles",
    "lost-answer-is-once",
    "lost-part-is-completed",
    "stored-part-is-not-repeated",
    "outage-loses-nothing",
    "time-out-is-once"
  ]),
  saving(
    "puts a record that comes again behind the others",
    (disk, { save }) =>
      (batch) =>
        Effect.tap(save(batch) as Save, () =>
          Effect.sync(() => {
            const again = new Set(batch.map(({ id }) => id))
            const stay = disk.rows.filter(({ id }) => !again.has(id))
            const go = newOnes([], batch).map(({ id }) => disk.rows.find((row) => row.id === id) as Row)
            disk.rows = [...stay, ...go]
          })
        ),
    ["order-after-duplicates"]
  ),
  differing("loads backwards", { load: ({ rows }) => rows.map(copy).reverse() }, ["loads-in-order"]),
  saving(
    "acknowledges before it commits",
    (_, { save }) =>
      (batch) =>
        Effect.as(Effect.forkDaemon(save(batch)), { duplicates: 0 }),
    [
      "acknowledged-means-committed",
      "duplicates-are-counted",
      "clash-is-refused",
      "clash-in-a-batch",
      "bad-record-fails",
      "retry-after-a-part",
      "prepare-refuses-late",
      "receipt-is-committed",
      "query-sees-the-saves-before",
      "bad-record-is-set-aside",
      "clash-is-set-aside",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-dates-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types",
      "equal-or-refused"
    ]
  ),
  saving(
    "keeps records back until there are three",
    (disk) => {
      let kept: Array<Row> = []
      return (batch) =>
        Effect.suspend(() => {
          kept.push(...batch)
          const due = kept.length < 3 ? [] : kept
          if (due.length > 0) kept = []
          return commit(disk, due)
        })
    },
    [
      "many-small-saves",
      "one-record",
      "empty-batch",
      "batches-add-up",
      "saves-when-run",
      "acknowledged-means-committed",
      "no-success-without-rows",
      "duplicates-are-counted",
      "clash-is-refused",
      "clash-in-a-batch",
      "goes-on-after-bad-records",
      "refuses-again",
      "wrong-query-fails",
      "nothing-after-interruption",
      "free-after-interruption",
      "opening-at-once",
      "opening-again",
      "handles-see-each-other",
      "adds-up-over-handles",
      "reopens-after-interruption",
      "prepare-stores-nothing",
      "prepare-refuses-late",
      "clash-is-set-aside",
      "minus-zero-is-zero",
      "equal-or-refused"
    ]
  ),
  saving(
    "swallows its first save after a pause",
    (_, { save }) => {
      let last = 0
      return (batch) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const paused = now - last >= 4 && last > 0
          last = now
          return paused ? nothing : (save(batch) as Save)
        })
    },
    ["outage-loses-nothing", "lost-part-is-completed", "stored-part-is-not-repeated"]
  ),
  {
    name: "answers a load from before the last save",
    breaks: [
      "query-sees-the-saves-before",
      "pages-join",
      "one-record",
      "whole-batch",
      "batches-add-up",
      "same-data",
      "first-one-stays",
      "wrong-query-fails",
      "free-after-interruption",
      "handles-see-each-other",
      "kept-after-reopening",
      "prepared-is-saved",
      "handed-back-and-usable",
      "random-rows",
      "null-is-not-empty",
      "keeps-text",
      "keeps-integers",
      "keeps-bigints",
      "keeps-doubles",
      "minus-zero-is-zero",
      "keeps-dates",
      "keeps-json",
      "keeps-bytes",
      "hard-text",
      "long-text"
    ],
    open: (disk) =>
      Effect.sync(() => {
        const rightly = right(disk)
        let before: Array<Row> = []
        const save = (batch: ReadonlyArray<Row>) =>
          Effect.suspend(() => {
            before = disk.rows.slice()
            return rightly.save(batch)
          })
        return { ...rightly, save, prepare: save, load: () => Effect.sync(() => before.map(copy)) }
      })
  }
]
