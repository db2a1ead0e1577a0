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
  }
]
