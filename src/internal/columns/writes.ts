/** What a table is asked to write, as plain data. */
import type { Columns, ColumnTypes, NewRowOf } from "./columns.js"
import type { Condition } from "./query.js"

/** Names a table's columns and its id. Plain data; what takes it checks it. */
export interface Definition<
  out C extends Columns = Columns,
  out I extends keyof C & string = keyof C & string
> {
  /** The table's name in its database, and the first part of its keys in a log. */
  readonly name: string
  readonly columns: C
  readonly id: I
}

/** Any definition: the bound of type parameters. */
export interface AnyDefinition {
  readonly name: string
  readonly columns: Columns
  readonly id: string
}

/** The row that a table of this definition takes. It may leave out nullable columns. */
export type NewRow<D extends AnyDefinition> = NewRowOf<D["columns"]>

/** The id of a row. */
export type Id<D extends AnyDefinition> = ColumnTypes[D["columns"][D["id"]]["type"]]

/**
 * The columns that a patch sets, without the id. `null` sets NULL. A property that is `undefined` counts as absent: its
 * column stays as it is.
 */
export type Fields<D extends AnyDefinition> = {
  readonly [K in Exclude<keyof NewRow<D>, D["id"]>]?: NewRow<D>[K] | undefined
}

/** Adds a row. If there is a row with its id, that row stays, and is returned. */
export interface Insert<in out D extends AnyDefinition> {
  readonly _tag: "Insert"
  readonly row: NewRow<D>
}

/** Sets a whole row: columns that it leaves out become NULL. Adds it if there is none with its id. */
export interface Replace<in out D extends AnyDefinition> {
  readonly _tag: "Replace"
  readonly row: NewRow<D>
}

/** Sets some columns of a row that exists, if the row meets `when`. */
export interface Patch<in out D extends AnyDefinition> {
  readonly _tag: "Patch"
  readonly id: Id<D>
  readonly fields: Fields<D>
  readonly when?: Condition<D["columns"]> | undefined
}

/** Removes a row, if it meets `when`. Without such a row nothing happens. */
export interface Delete<in out D extends AnyDefinition> {
  readonly _tag: "Delete"
  readonly id: Id<D>
  readonly when?: Condition<D["columns"]> | undefined
}

/** Removes all rows. */
export interface DeleteAll {
  readonly _tag: "DeleteAll"
}

/** One write. */
export type Write<D extends AnyDefinition> = Insert<D> | Replace<D> | Patch<D> | Delete<D> | DeleteAll
