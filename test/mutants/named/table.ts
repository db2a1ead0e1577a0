/** Guards of tables: what is checked before and after a source, and what is in one commit. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("table")

const checking: ReadonlyArray<NamedMutant> = [
  guard(
    "pass on the rows of a source as they are",
    "internal/columns/checkAnswer",
    ['{ _tag: "Answer", value: normalise(given as object) }', '{ _tag: "Answer", value: given as AnyRow }'],
    ["table/source", "gives each caller rows of its own, and checks what it takes at the call"]
  ),
  guard(
    "take rows that were not requested",
    "internal/columns/checkAnswer",
    ['if (!ids.has(key)) return wrong("a row was not requested")', ""],
    ["table/source", "refuses rows by ids that were not requested, or twice, and counts that are none"]
  ),
  guard(
    "take a row twice",
    "internal/columns/checkAnswer",
    ['if (rows.has(key)) return wrong("a row is there twice")', ""],
    ["table/source", "refuses rows by ids that were not requested, or twice, and counts that are none"]
  ),
  guard(
    "take fewer outcomes than writes",
    "internal/table/writing",
    ["!Array.isArray(given) || given.length !== run.length", "!Array.isArray(given)"],
    ["table/source", "has an unknown outcome for each write whose answer is wrong"]
  ),
  guard(
    "take the row of another write",
    "internal/table/writing",
    ["return idOfRow(id, row.value) === idOfWrite(id, write)", "return true"],
    ["table/source", "has an unknown outcome for each write whose answer is wrong"]
  ),
  guard(
    "fail with what a source has not classified",
    "internal/table/errors",
    ["isTyped ? error : unclassified(name, error)", "error as ReadError"],
    [
      "table/source",
      "makes typed errors of a source that throws, dies, fails with anything, or interrupts itself"
    ]
  ),
  guard(
    "share a row between two answers of one call",
    "internal/table/reads",
    ["given.has(key) ? copy(row) : row", "row"],
    ["table/memory", "shares no row with its caller"]
  ),
  guard(
    "name the latest of the revisions of several calls",
    "internal/log/events",
    ["return a.seq <= b.seq ? a : b", "return a.seq >= b.seq ? a : b"],
    ["table/source", "names the earliest of the revisions that its calls hold, if all of them are known"]
  ),
  guard(
    "put an id into a call twice",
    "internal/columns/writeRuns",
    [" && !seen.has(id)", ""],
    ["columns/writes", "keep the order, and have no id twice"]
  ),
  guard(
    "do a DeleteAll together with others",
    "internal/columns/writeRuns",
    ["isOpen = id !== undefined", "isOpen = true"],
    ["columns/writes", "keep the order, and have no id twice"]
  ),
  guard(
    "take an undefined field for NULL",
    "internal/columns/checkRow",
    [
      "      if (value === undefined) continue\n      const wrong = checkField",
      "      const wrong = checkField"
    ],
    ["columns/writes", "is a copy in normal form"]
  ),
  guard(
    "keep the caller's condition",
    "internal/columns/checkCondition",
    ["    ? normaliseValue(column.type, value)\n", "    ? value\n"],
    ["columns/query", "are checked into a copy with normalised values"]
  ),
  guard(
    "take a name whose keys another table has",
    "internal/columns/checkDefinition",
    ['String(name).includes("/") ? "must not contain a slash" : undefined', "undefined"],
    ["table/memory", "fails with InvalidOptions when its definition or its options are none"]
  )
]

const paging: ReadonlyArray<NamedMutant> = [
  guard(
    "read each page as the first one",
    "internal/columns/evaluateQuery",
    ["found.slice(offset, ", "found.slice(0, "],
    ["columns/query", "page by number, from 1"]
  ),
  guard(
    "take a page that is not there",
    "internal/columns/checkQuery",
    ["if (!isWhole(page, 1))", "if (!isWhole(page, 0))"],
    ["table/memory", "refuses ids and queries that it cannot have"]
  ),
  {
    ...guard(
      "pass by no rows of microseconds",
      "sql/internal/storage/renderQuery",
      ["const rows = query.offset + query.limit", "const rows = query.limit"],
      ["sql/storage/unreadableRows", "of timestamptz answer every order and comparison as they are read"]
    ),
    needs: "servers"
  }
]

const logging: ReadonlyArray<NamedMutant> = [
  guard(
    "apply what the log has refused",
    "internal/table/memory",
    [
      "                onFailure: storageError,\n                onSuccess: (revision) => apply",
      "                onFailure: (error) => (apply(planned, undefined), storageError(error)),\n                onSuccess: (revision) => apply"
    ],
    ["table/memory", "applies nothing that the log refuses"]
  ),
  guard(
    "read between a revision and its rows",
    "internal/table/memory",
    [
      "      read: (value) =>\n        gate.withPermits(1)(",
      "      read: (value) =>\n        Effect.suspend(() =>"
    ],
    ["table/memory", "shows no row before its revision is there, however slow the log is"]
  ),
  guard(
    "log what changes nothing",
    "internal/columns/planWrites",
    ["return differing.length === 0\n", "return differing.length < 0\n"],
    ["table/memory", "logs nothing for what changes nothing, and reads at the head"]
  ),
  guard(
    "decode a row of other columns",
    "internal/columns/rowCodec",
    ["return check(row) === undefined ? normalise(row) : undefined", "return normalise(row)"],
    ["columns/rowCodec", "answers nothing for what is no row"]
  )
]

export const tableMutants: ReadonlyArray<NamedMutant> = [...checking, ...paging, ...logging]
