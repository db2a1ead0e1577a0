/** Guards of live tables: which lists and counts fall, and what is shown of staged writes. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("live table")

const surviving = "internal/liveTable/surviving"
const lists = "liveTable/survivingCases"

const falling: ReadonlyArray<NamedMutant> = [
  guard(
    "only holders fall",
    surviving,
    ["if (basis.offset === 0) return firstPage(basis, change)", "if (basis.offset === 0) return true"],
    [lists, "falls if a row begins to match it"]
  ),
  guard(
    "keep a list of which a row has changed",
    surviving,
    ["change.id === undefined || basis.ids.has(change.id)", "change.id === undefined"],
    [lists, "falls if a row that it holds changes in any column"]
  ),
  guard(
    "keep lists if any row may have changed",
    surviving,
    ["if (change.id === undefined || basis", "if (change.id !== undefined && basis"],
    [lists, "falls if any row may have changed"]
  ),
  guard(
    "keep counts if any row may have changed",
    surviving,
    ["change.id !== undefined && count(basis, change)", "count(basis, change)"],
    [lists, "falls if any row may have changed"]
  ),
  guard(
    "drop lists at the deletion of other rows",
    surviving,
    ['  if (change.op === "Deleted") return true\n', ""],
    [lists, "survives the deletion of a row that it does not hold"]
  ),
  guard(
    "trust the columns more than the row",
    surviving,
    [
      "if (change.row === undefined) return keeps",
      "if (keeps(list.readsAll, change)) return true\n  if (change.row === undefined) return keeps"
    ],
    [lists, "falls if the row is of its page although no column that it reads has changed"]
  ),
  guard(
    "take the columns of an inserted row for those of an update",
    surviving,
    ['op === "Updated" && (columns', "void op === undefined && (columns"],
    [lists, "falls if a row that is not known is inserted, or may be"]
  ),
  guard(
    "take unknown columns for none",
    surviving,
    ["reads.length === 0", "true"],
    [lists, "survives an update outside of its condition and order, and falls at one inside"]
  ),
  guard(
    "forget the columns of the order",
    surviving,
    ["readsAll: without(id, columnsOf(query))", "readsAll: without(id, columnsOfCondition(query.where))"],
    [lists, "survives an update outside of its condition and order, and falls at one inside"]
  ),
  guard(
    "forget the condition of a list",
    "internal/liveTable/listRange",
    [
      "(after === undefined || after(row) < 0) && matchesCondition(columns, where, row)",
      "after === undefined || after(row) < 0"
    ],
    [lists, "survives a row that fails its condition"]
  ),
  guard(
    "let a row at the place before a page into it",
    "internal/liveTable/listRange",
    ["after(row) < 0", "after(row) <= 0"],
    [lists, "survives a row at or before the place that it begins behind"]
  ),
  guard(
    "take every page for a closed one",
    "internal/liveTable/listRange",
    ["isClosed && last !== undefined", "last !== undefined"],
    [lists, "survives a row behind a closed page, and falls if the page has room"]
  ),
  guard(
    "take no page for a closed one",
    "internal/liveTable/listRange",
    ["isClosed: rows.length === limit", "isClosed: false"],
    [lists, "survives a row behind a closed page, and falls if the page has room"]
  )
]

const pagesAndCounts: ReadonlyArray<NamedMutant> = [
  guard(
    "judge later pages as the first one",
    surviving,
    ["if (basis.offset === 0) return firstPage", "if (basis.offset >= 0) return firstPage"],
    [lists, "falls if a row before it may come or go"]
  ),
  guard(
    "forget that an inserted row was not there",
    surviving,
    ['  if (change.op === "Inserted") return staysOutside\n', ""],
    [lists, "survives an inserted row that fails its condition, or sorts behind it while it is closed"]
  ),
  guard(
    "take a row of a later page for one before it",
    surviving,
    ["return isBeforePage || staysOutside", "return true"],
    [lists, "falls if the row is of its page although no column that it reads has changed"]
  ),
  guard(
    "drop later pages at updates of rows before them",
    surviving,
    ["return isBeforePage || staysOutside", "return staysOutside"],
    [lists, "survives an update outside of its condition and order, also of a row before it"]
  ),
  guard(
    "let rows before a later page go unnoticed",
    surviving,
    ["keeps(list.readsOrder, change) && !isBeforePage", "keeps(list.readsOrder, change)"],
    [
      lists,
      "survives an update of the condition's columns if the row stays behind its first row and is not of it"
    ]
  ),
  guard(
    "let rows move behind a later page unnoticed",
    surviving,
    ["keeps(list.readsOrder, change) && !isBeforePage", "!isBeforePage"],
    [lists, "falls if a row before it may come or go"]
  ),
  guard(
    "exclude a row by what it was changed to",
    surviving,
    ["keeps(part.reads, change) && !matchesCondition(columns", "!matchesCondition(columns"],
    [lists, "survives an update if a part of its condition excludes the row before and after"]
  ),
  guard(
    "judge pages behind the end as others",
    surviving,
    ["basis.first === undefined ? emptyPage(basis, change)", "basis.first === undefined ? false"],
    [lists, "of which no row is left falls only if the range may grow"]
  ),
  guard(
    "keep a page behind the end although its range grows",
    surviving,
    [
      "(change.row !== undefined && !matchesCondition(list.columns, list.where, change.row))",
      "change.row !== undefined"
    ],
    [lists, "of which no row is left falls only if the range may grow"]
  ),
  guard(
    "keep a count although a matching row is inserted",
    surviving,
    ["? !matchesCondition(basis.columns, basis.where, change.row)", "? true"],
    [lists, "survives an inserted row that fails its condition"]
  ),
  guard(
    "keep a count by the new row alone",
    surviving,
    [
      ": neverMatches(basis, change, change.row)",
      ": !matchesCondition(basis.columns, basis.where, change.row)"
    ],
    [lists, "survives an update outside of its condition, and falls at one inside"]
  )
]

const journal: ReadonlyArray<NamedMutant> = [
  guard(
    "answer from a journal that has forgotten",
    "internal/liveTable/journal",
    ["  if (stamp < journal.forgotten) return undefined\n", ""],
    ["liveTable/journal", "does not answer if one of them is forgotten"]
  ),
  guard(
    "name ids although any row may have changed",
    "internal/liveTable/journal",
    ["    if (id === undefined) return undefined\n    ids.add(id)", "    if (id !== undefined) ids.add(id)"],
    ["liveTable/journal", "names no ids if any row may have changed"]
  )
]

const pending = "internal/pending"
const pendingLists = "internal/liveTable/pendingLists"
const stagingFile = "internal/liveTable/staging"
const staged = "liveTable/staged"
const shown = "liveTable/pendingLists"

const staging: ReadonlyArray<NamedMutant> = [
  guard(
    "show what was confirmed over a base that was read after it",
    "internal/liveTable/slots",
    [
      "  const { atLeast, stale } = settings\n",
      `  const { atLeast, stale } = settings
  if (atLeast === "queued") return view(Effect.flatMap(awaitLeast(reads, slot, settings), ({ way }) =>
    way === "master" ? readMaster(reading, slot) : read(reading, slot, stale)
  ), "cache")\n`
    ],
    [staged, "that was confirmed stands under the writes that a read has waited for"]
  ),
  guard(
    "take any answer for that of the cell",
    stagingFile,
    ["cell !== undefined && held?.value === value", "cell !== undefined"],
    [staged, "that was confirmed is in the answer of an old read, also when a later one has landed"]
  ),
  guard(
    "bring rows into a list that are past their time",
    stagingFile,
    ["return monotonicMillis(clock) < cell.freshUntil\n", "return monotonicMillis(clock) > 0\n"],
    [staged, "brings a row into a list only while the cache would answer it"]
  ),
  guard(
    "bring rows of the cache into a list of the master",
    stagingFile,
    ['rowsSince: way === "cache" ? 0 : stamp', "rowsSince: 0"],
    [staged, "brings a row into a list only while the cache would answer it"]
  ),
  guard(
    "whole-row rollback",
    pending,
    ["  ...pending,\n  staged: without(pending.staged, key)\n})", "  ...pending,\n  staged: []\n})"],
    [pending, "are reverted alone: those before and after stay, field by field"]
  ),
  guard(
    "a rejected write removes later ones",
    pending,
    [
      "  ...pending,\n  staged: without(pending.staged, key)\n})",
      "  ...pending,\n  staged: pending.staged.slice(\n    0,\n    pending.staged.findIndex((one) => one.key === key)\n  )\n})"
    ],
    [pending, "are reverted alone: those before and after stay, field by field"]
  ),
  guard(
    "confirmed before its row is in the base",
    pending,
    ["confirmed: [...pending.confirmed, confirmed]", "confirmed: pending.confirmed"],
    [pending, "that are confirmed stay in the views of older bases, and go from those of newer ones"]
  ),
  guard(
    "apply what the base holds",
    pending,
    ["if (confirmed.stamp > stamp) shown", "shown"],
    [pending, "that are confirmed stay in the views of older bases, and go from those of newer ones"]
  ),
  guard(
    "keep what all bases hold",
    pending,
    [
      "pending.confirmed.filter(({ stamp }) => stamp > oldest)",
      "pending.confirmed.filter(({ stamp }) => stamp > oldest || true)"
    ],
    [pending, "are forgotten when every base in use holds them"]
  ),
  guard(
    "confirm what was reverted",
    pending,
    ["  isPending(pending, key)\n    ?", "  isPending(pending, key) || true\n    ?"],
    [pending, "are confirmed once, and not after they were reverted"]
  ),
  guard(
    "forget what earlier writes left",
    pendingLists,
    ["written.has(of) ? written.get(of) : ", ""],
    [shown, "applies later fields to what earlier ones left"]
  ),
  guard(
    "mix rows from before into a list",
    pendingLists,
    ["known !== undefined && shows(view, known) ? undefined : known", "known"],
    [shown, "takes a row that it would hold, and does not, for gone, whatever is known of it from before"]
  ),
  guard(
    "show a row at the end, wherever it sorts",
    pendingLists,
    ["place(other) < 0", "place(other) < 0 && false"],
    [shown, "has inserted rows in their places, if they meet its condition"]
  ),
  guard(
    "show rows from behind a closed page",
    pendingLists,
    ["  !isBehind(range, row) &&\n", ""],
    [shown, "shows nothing from behind a closed page, where others may be"]
  ),
  guard(
    "move a later page",
    pendingLists,
    ["(range.first !== undefined && range.first(row) <= 0)", "range.first !== undefined"],
    [shown, "by its number keeps the rows that it began with, whatever comes before it"]
  ),
  guard(
    "cut a list at each write",
    pendingLists,
    ["return { ...view, rows, written", "return { ...view, rows: rows.slice(0, view.range.limit), written"],
    [shown, "shows no more than its limit, and what was moved out comes back"]
  ),
  guard(
    "remember rows from before all were deleted",
    pendingLists,
    ["  before: () => undefined\n", ""],
    [shown, "has what is written after all was deleted"]
  )
]

export const liveTableMutants: ReadonlyArray<NamedMutant> = [
  ...falling,
  ...pagesAndCounts,
  ...journal,
  ...staging
]
