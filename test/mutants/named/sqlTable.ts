/** Guards of tables in databases. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/sql/internal/${file}.ts`
const server = (test: string) => ({ file: "test/sql/table/traps.postgres.test.ts", name: test })
const both = (test: string) => ({ file: "test/sql/table/table.test.ts", name: test })

export const sqlTableMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "table in a database: look at rows without their locks",
    file: internal("pg/dialect"),
    find: 'forUpdate: " FOR UPDATE"',
    replace: 'forUpdate: ""',
    test: server("judges a condition by what was committed while it waited for the row"),
    needs: "servers"
  },
  {
    name: "table in a database: add rows in the order of the writes",
    file: internal("table/applyWrites"),
    find: "  added.sort((a, b) => compareIds(a.id, b.id))\n",
    replace: "",
    test: server("adds rows in one order, whatever the order of the writes"),
    needs: "servers"
  },
  {
    name: "table in a database: replace the row of another transaction unseen",
    file: internal("table/applyWrites"),
    find: 'return write._tag === "Insert" && row !== undefined',
    replace: "return row !== undefined",
    test: server("returns the row that another transaction inserts first, and replaces it"),
    needs: "servers"
  },
  {
    name: "table in a database: set the columns that a neighbour sets (Postgres)",
    file: internal("pg/update"),
    find: "      return at < 0\n",
    replace: "      return at < columns.length\n",
    test: server("keeps the microseconds of a column that only a neighbour sets"),
    needs: "servers"
  },
  {
    name: "table in a database: set the columns that a neighbour sets (SQLite)",
    file: internal("sqlite/update"),
    find: "        at < 0\n",
    replace: "        at < columns.length\n",
    test: both("leaves the columns alone that a patch does not set, whatever its neighbours set"),
    needs: "servers"
  },
  {
    name: "table in a database: fail a call for one write",
    file: internal("table/isolateWrites"),
    find: '(kind === "Poison" || blame === "size")',
    replace: '(kind === "Fatal" || blame === "size")',
    test: both("refuses a value that must be unique, and stores the neighbours in the same revision"),
    needs: "servers"
  },
  {
    name: "table in a database: leave to the COMMIT what is deferred",
    file: internal("pg/dialect"),
    find: 'checkDeferred: plain("SET CONSTRAINTS ALL IMMEDIATE")',
    replace: "checkDeferred: undefined",
    test: server("refuses alone what breaks a constraint that is checked at the COMMIT"),
    needs: "servers"
  },
  {
    name: "table in a database: return rows as they were before their triggers",
    file: internal("table/rowStatements"),
    find: 'isFinal: rows.length === count && head === "false"',
    replace: "isFinal: rows.length === count",
    test: both("answers with the row that a trigger has made, and does not claim what one drops"),
    needs: "servers"
  },
  {
    name: "table in a database: claim a deletion that a trigger drops",
    file: internal("table/rowStatements"),
    find: "dialect.affected(result) === ids.length ? none",
    replace: "dialect.affected(result) <= ids.length ? none",
    test: both("answers with the row that a trigger has made, and does not claim what one drops"),
    needs: "servers"
  },
  {
    name: "table in a database: return no revision with an empty list",
    file: internal("table/sqlTable"),
    find: "text !== undefined || open === undefined",
    replace: "text !== undefined || true",
    test: both("says with every read which revision it holds, also without a row"),
    needs: "servers"
  },
  {
    name: "table in a database: log what has not changed",
    file: internal("table/commitWrites"),
    find: "    if (changes.length === 0) return undefined\n",
    replace: "",
    test: both("has one outcome for each write of a call, and logs the changes as one revision"),
    needs: "servers"
  },
  {
    name: "table in a database: ring no log",
    file: internal("table/commitWrites"),
    find: ": ringEverywhere(log.open, revision.seq)",
    replace: ": Effect.void",
    test: both("has one outcome for each write of a call, and logs the changes as one revision"),
    needs: "servers"
  }
]
