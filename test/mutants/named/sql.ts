/** Guards of the storages and logs in databases. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/sql/internal/${file}.ts`
const sql = (file: string, name: string) => ({ file: `test/sql/${file}.test.ts`, name })

export const sqlMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "sort by what is selected, not by the column",
    file: internal("orderBy"),
    find: "dialect.operand(columnOf(alias, column))",
    replace: "dialect.operand(column)",
    test: sql("orderBy", "of a log names a column of a table")
  },
  {
    name: "give up young revisions by their digits",
    file: internal("orderBy"),
    find: "dialect.operand(columnOf(alias, column))",
    replace: "dialect.operand(column)",
    test: sql("retention", "gives up no young revision when ten were appended and one given up"),
    needs: "servers"
  },
  {
    name: "say of a failed look-up that nothing is stored",
    file: internal("storage/saving"),
    find: 'withOutcome(error, "Unknown")',
    replace: 'withOutcome(error, "NotStored")',
    test: sql("lookUp", "has an unknown outcome: what was written is stored")
  },
  {
    name: "forget the rings that could not be sent",
    file: internal("pg/doorbell"),
    find: "if (error !== undefined) rings.forEach(pending.add)",
    replace: "if (error !== undefined) void rings",
    test: sql("PgDoorbell", "sends again the rings that were lost with its connection"),
    needs: "servers"
  },
  {
    name: "take an id for another one by its collation",
    file: internal("ensureTable"),
    find: "of existing.loose) {",
    replace: "of existing.loose.slice(0, 0)) {",
    test: sql("exactIds", "refuses a table whose id takes different texts for the same"),
    needs: "servers"
  },
  {
    name: "begin a page of microseconds behind their millisecond",
    file: internal("storage/sqlStorage"),
    find: "finer: dialect.finer?.holds(column, type) === true",
    replace: "finer: false",
    test: sql("unreadableRows", "with one instant of microseconds come once each, by pages and streamed"),
    needs: "servers"
  },
  {
    name: "go on with pages that do not go on",
    file: internal("storage/reading"),
    find: "typed.after === undefined || continues(",
    replace: "typed.after !== null || continues(",
    test: sql("unreadableRows", "with text that is no Unicode never make pages without an end"),
    needs: "servers"
  },
  {
    name: "read what no column can hold",
    file: internal("storage/renderQuery"),
    find: "if (rule !== undefined) throw",
    replace: "if (rule === null) throw",
    test: sql("unreadableRows", "that no column can hold fail each read that meets them, and only those"),
    needs: "servers"
  },
  {
    name: "pass by rows with a NULL that is not foreseen",
    file: internal("storage/reading"),
    find: "endsAtNull(typed, rows) ? page(",
    replace: "false ? page(",
    test: sql("unreadableRows", "that no column can hold fail each read that meets them, and only those"),
    needs: "servers"
  },
  {
    name: "say nothing of what may be lost",
    file: internal("durability"),
    find: "losses.length === 0",
    replace: "losses.length >= 0",
    test: sql("durability", "is said of a client's synchronous and journal_mode"),
    needs: "servers"
  }
]
