/** The layouts of tables whose columns this library chooses. */
import type { Columns } from "../../internal/columns/columns.js"
import type { Layout, TableColumn } from "./dialect.js"

/** A column of a layout, by its name. */
type Named<C extends Columns> = { readonly [Name in keyof C]: TableColumn }

/** A layout whose columns can be named. */
export interface LayoutOf<C extends Columns> extends Layout {
  readonly column: Named<C>
}

/** An index of a layout. */
interface IndexOf<C extends Columns> {
  readonly name: string
  readonly columns: ReadonlyArray<keyof C>
  readonly unique: boolean
}

/** Makes a layout. What its key and its unique indexes are over is compared byte by byte. */
export const layout = <C extends Columns>(
  schema: string | undefined,
  name: string,
  columns: C,
  key: ReadonlyArray<keyof C>,
  indexes: ReadonlyArray<IndexOf<C>> = []
): LayoutOf<C> => {
  const list = Object.entries(columns).map(
    ([column, { nullable, type }], position): TableColumn => ({
      name: column,
      sql: `"${column}"`,
      type,
      nullable,
      position
    })
  )
  // Every name is there by construction.
  const column = Object.fromEntries(list.map((one) => [one.name, one])) as Named<C>
  const unique = indexes.filter((index) => index.unique).flatMap((index) => index.columns)
  return {
    schema,
    name,
    sql: schema === undefined ? `"${name}"` : `"${schema}"."${name}"`,
    columns: list,
    column,
    key: key.map((one) => column[one]),
    exact: [...new Set([...key, ...unique])].map((one) => column[one]),
    indexes: indexes.map((index) => ({ ...index, columns: index.columns.map((one) => column[one]) }))
  }
}
