/**
 * What SQLite and Postgres do differently, and nothing else: the storage itself is written once, on top of this.
 *
 * A dialect is pure data and functions over a {@link Table}; it imports no driver. Every record that reaches it has
 * passed the column check, but is not normalised yet: `undefined` is NULL, `-0` is 0, a uuid may be in upper case,
 * a json value is plain data still to be turned into text.
 */
import type { Effect, Scope } from "effect"
import type { ColumnType } from "../../internal/columns/columns.js"
import type { Order } from "../../internal/columns/query.js"
import type { Blame, FailureKind, Outcome } from "../../Storage.js"
import type { SizeLimits } from "./statementSize.js"

/** A column of a checked table; `sql` is its quoted name. */
export interface TableColumn {
  readonly name: string
  readonly sql: string
  readonly type: ColumnType
  readonly nullable: boolean
  /** Its place in {@link Table.columns}. */
  readonly position: number
  /** Whether the table that was found may hold values that are finer than those that are read. */
  readonly finer?: boolean
  /** Whether the table that was found may hold NULL in a column that is not nullable here. */
  readonly mayHoldNull?: boolean
}

/** A named index over columns, ascending, NULLs first. */
export interface TableIndex {
  readonly name: string
  readonly columns: ReadonlyArray<TableColumn>
  readonly unique: boolean
}

/** What a table is created from. Its names and columns have been checked; `sql` is its quoted and qualified name. */
export interface Layout {
  readonly schema: string | undefined
  readonly name: string
  readonly sql: string
  readonly columns: ReadonlyArray<TableColumn>
  /** The primary key: columns of {@link Layout.columns}, none of them nullable. */
  readonly key: ReadonlyArray<TableColumn>
  readonly indexes: ReadonlyArray<TableIndex>
  /** By whose values things are the same or not: values of text that differ in any byte are different here. */
  readonly exact: ReadonlyArray<TableColumn>
}

/** The exact columns whose collation matters. */
export const exactText = ({ exact }: Layout): ReadonlyArray<TableColumn> =>
  exact.filter(({ type }) => type === "text")

/** A table of records. */
export interface Table extends Layout {
  readonly limits: SizeLimits
  /** The only column of the key; of type text, uuid, integer or bigint. */
  readonly id: TableColumn
}

/** A record, or a row of a result, by column name. */
export interface Row {
  readonly [column: string]: unknown
}

/** A row that exists, as it shall be, and which of its columns are set. */
export interface RowUpdate {
  readonly row: Row
  readonly sets: ReadonlySet<string>
}

/** A statement and its parameters, in the form that the dialect's driver takes. */
export interface Statement {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

/** A statement without parameters. */
export const plain = (text: string): Statement => ({ text, params: [] })

/**
 * A driver's error, classified and stripped of every value of a row: `message` names the cause, the code, the
 * constraint, the table and the column at most, never what a parameter held.
 */
export interface Failure {
  readonly kind: FailureKind
  readonly outcome: Outcome
  /** What it may be a matter of, where the kind leaves it open. */
  readonly blame: Blame | undefined
  readonly code: string | undefined
  readonly constraint: string | undefined
  readonly message: string
}

/** What a failed statement was to store. */
export interface FailedSave {
  readonly table: Table
  readonly rows: ReadonlyArray<Row>
}

/** A column as the database describes it. */
export interface ExistingColumn {
  readonly name: string
  /** The type's name in the database's own spelling. */
  readonly type: string
  readonly nullable: boolean
  /** Whether an insert may leave it out although it is NOT NULL: it has a default, is generated or an identity. */
  readonly hasDefault: boolean
}

/** Text of a column that differs, by case for one, and is taken for the same: by the column, or by an index on it. */
export interface Loose {
  readonly column: string
  readonly index: string | undefined
}

/** A table as the database describes it. */
export interface ExistingTable {
  readonly columns: ReadonlyArray<ExistingColumn>
  /** Names of the indexes on this table. */
  readonly indexes: ReadonlyArray<string>
  /** Whether the key's columns alone are the primary key or have a full (not partial) unique index or constraint. */
  readonly keyUnique: boolean
  /** How the table is partitioned, if that allows no unique index on the key's columns alone. */
  readonly partitionedBy: string | undefined
  /** Of the {@link Layout.exact} columns those that are not, by themselves or in a unique index on such columns alone. */
  readonly loose: ReadonlyArray<Loose>
}

/** Runs one statement and gives the driver's raw result (what `Connection.executeRaw` gives). */
export type Run = (statement: Statement) => Effect.Effect<unknown, unknown>

/** How statements reach the database. Neither way ever joins a transaction of the caller. */
export interface Executor {
  /**
   * One autocommit statement. When it is interrupted it must not commit after the interruption has completed.
   */
  readonly run: Run
  /** A connection of one's own, until the scope closes. */
  readonly reserve: Effect.Effect<Run, unknown, Scope.Scope>
}

export interface Dialect {
  readonly name: "sqlite" | "pg"
  /** The most records that one save may hold. */
  readonly maxBatch: (table: Table) => number
  /** The most rows that one update may set. */
  readonly maxUpdates: (table: Table) => number
  /** The most parameters that one statement may hold. */
  readonly maxParams: number

  /**
   * The bulk save, compiled for one table: `INSERT ... ON CONFLICT (id) DO NOTHING` of all rows in order, as one
   * statement. Ids may repeat inside of one batch. Only pure work: it may run while another save is out. `returning` ends
   * it.
   */
  readonly insert: (table: Table, returning?: string) => (rows: ReadonlyArray<Row>) => Statement
  /** The same, and its result has a row for each row that was new: its id as text, under the name `row`. */
  readonly insertNew: (table: Table) => (rows: ReadonlyArray<Row>) => Statement
  /** From the raw result of an INSERT or DELETE: how many rows it wrote or deleted. */
  readonly affected: (result: unknown) => number
  /** A condition that the table's rows with an id of these rows meet. Its placeholders count from the first. */
  readonly sameIds: (table: Table) => (rows: ReadonlyArray<Row>) => Statement
  /**
   * The bulk update, compiled for one table: sets columns of the rows that have these ids. A column that only some rows
   * set keeps its value in the others. No id is there twice. `returning` ends it.
   */
  readonly update: (table: Table, returning?: string) => (updates: ReadonlyArray<RowUpdate>) => Statement
  /**
   * An expression, `false` as text if the rows that an insert or update returns stay as they are: no trigger may change
   * them after it. None where rows that were written are read anew.
   */
  readonly mayChangeAfter: ((table: Table) => string) | undefined
  /** Deletes all rows. It waits for no transaction that waits for it. */
  readonly deleteAll: (table: Table) => Statement
  /** Opens a transaction in which a statement sees what was committed before it, and rows that are locked stay. */
  readonly begin: Statement
  /** Ends a SELECT: locks its rows until the end of the transaction, in its order. Empty if `begin` locks everything. */
  readonly forUpdate: string
  /** Checks what is deferred to the COMMIT, now. None where the database cannot. */
  readonly checkDeferred: Statement | undefined

  /** From the raw result of a SELECT: its rows as objects. */
  readonly rows: (result: unknown) => ReadonlyArray<Row>
  /**
   * The expression of a column in a SELECT list; the renderer adds `AS` and the quoted name. What is decoded from it
   * must compare equal to the column: pages begin behind it.
   */
  readonly selected: (column: TableColumn) => string
  /** From a driver's value of `selected` (never null) to the column's TypeScript value; what is none, to anything else. */
  readonly decode: (column: TableColumn) => (value: unknown) => unknown
  /** Wraps what runs a SELECT over this table, where the driver needs a setting for it (identity otherwise). */
  readonly reading: (table: Table) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /**
   * The column in a comparison or ORDER BY: text by code point, whatever the column's own collation is; a finer value as
   * the one that is read. A comparison of a finer column is done without it, so that an index of the column serves.
   */
  readonly operand: (column: TableColumn) => string
  /** The placeholder of the parameter at `index` (from 1) that is compared with `column`, with its cast if needed. */
  readonly placeholder: (index: number, column: TableColumn) => string
  /** How columns with {@link TableColumn.finer} values are compared, where there can be any. */
  readonly finer:
    | {
        /** Whether a column that exists with this type may hold such values. */
        readonly holds: (column: TableColumn, existingType: string) => boolean
        /** The least value that is read as a greater one than this placeholder. */
        readonly behind: (placeholder: string) => string
        /** A condition that the first rows in the order of this column meet; `from` is FROM and WHERE. */
        readonly first: (
          column: TableColumn,
          direction: Order["direction"],
          limit: number,
          from: string
        ) => string
      }
    | undefined
  /** A checked value of this column as a parameter of a comparison. */
  readonly param: (column: TableColumn, value: unknown) => unknown

  /**
   * Classifies a failure of the driver (a SqlError, or anything). `saved` is whether a save has succeeded on this
   * storage before: some failures are fatal before that, and transient after it. `save` is what was being saved.
   */
  readonly classify: (error: unknown, saved: boolean, save?: FailedSave) => Failure

  /** What the database knows of the table, by plain reads. `undefined` when there is no such table. */
  readonly inspect: (table: Layout, run: Run) => Effect.Effect<ExistingTable | undefined, unknown>
  /** What settings and tables there are by which acknowledged rows can be lost, each with what to do, by plain reads. */
  readonly losses: (tables: ReadonlyArray<Layout>, run: Run) => Effect.Effect<ReadonlyArray<string>, unknown>
  /** Opens a transaction that keeps every other starter of the same table out until its end (COMMIT, ROLLBACK). */
  readonly lock: (table: Layout) => ReadonlyArray<Statement>
  /** `CREATE TABLE IF NOT EXISTS`, with the primary key. */
  readonly createTable: (table: Layout) => string
  /** `CREATE [UNIQUE] INDEX IF NOT EXISTS`. */
  readonly createIndex: (table: Layout, index: TableIndex) => string
  /** The column's type as CREATE and ALTER TABLE spell it, without NOT NULL. */
  readonly columnType: (column: TableColumn) => string
  /** Whether a column that exists with this type holds everything that the definition allows, unchanged. */
  readonly accepts: (column: TableColumn, existingType: string) => boolean
  /** A literal of the column's type for `ADD COLUMN ... NOT NULL DEFAULT ...`. */
  readonly defaultLiteral: (column: TableColumn) => string
  /** The statement that gives the column the right type, where the database has one. */
  readonly alterType: (table: Layout, column: TableColumn) => string | undefined
  /** The collation that compares text by its bytes. */
  readonly exactCollation: string
  /** The statement that lets the column hold NULL, where the database has one. */
  readonly alterNullable: (table: Layout, column: TableColumn) => string | undefined
}
