/** The table of owners: which process owns what, and until when. */
import { Column } from "../../../internal/columns/columns.js"
import { type LayoutOf, layout } from "../layout.js"

/** What the table's name ends with; the options of a part that has owners leave room for it. */
export const ownersSuffix = "_owners"

/** One row is one name. It stays when nothing owns it: the generation counts on. */
const ownerColumns = {
  name: Column.text,
  /** Another one for each owner that there ever was. NULL if there is none. */
  token: Column.nullable(Column.text),
  /** How many owners there were. */
  generation: Column.integer,
  /** By the clock of the database. */
  until: Column.timestamp,
  /** Whether the owner holds a lock of its session too, which ends with its process. */
  locked: Column.boolean,
  /** Who it is, for messages. */
  holder: Column.text
}

/** The table of the owners of a part's tables, which are named after `table`. */
export type OwnersTable = LayoutOf<typeof ownerColumns>

export const makeOwnersTable = (table: string, schema?: string | undefined): OwnersTable =>
  layout(schema, `${table}${ownersSuffix}`, ownerColumns, ["name"])
