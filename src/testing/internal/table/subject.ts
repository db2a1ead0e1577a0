/** What the laws of tables are held against, and what they need of it. */
import type { Effect, Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { ChangeLog } from "../../../ChangeLog.js"
import type { AnyDefinition, Table, TableChange } from "../../../Table.js"
import { type Law, leftOutReasonOf } from "../law.js"

/** Where a table keeps its rows. Empty when it is made. */
export interface TablePlace<in out D extends AnyDefinition> {
  /**
   * Opens a handle on the place, for as long as its scope lives. With `handles: "one"` it runs once a place, else again
   * and again, and every handle sees what the others have written.
   */
  readonly open: Effect.Effect<Table<D>, unknown, Scope.Scope>
  /** The log of the table's changes, if it has one. */
  readonly log?: ChangeLog<TableChange> | undefined
}

/** What a table promises beyond its contract. A law that needs something else is left out. */
export interface TableCapabilities {
  /** Whether its changes are in a log, which `place` gives. */
  readonly log: "yes" | "no"
  /** How many handles one place may have at the same time. */
  readonly handles: "one" | "together"
  /** Whether the column `tag`, where a definition has one, has a unique constraint. */
  readonly tag: "unique" | "free"
}

/** A table under test. */
export interface TableSubject {
  readonly name: string
  /** Makes an empty place of its own for a table of this definition: the laws have several. */
  readonly place: <D extends AnyDefinition>(
    definition: D
  ) => Effect.Effect<TablePlace<D>, unknown, Scope.Scope>
  readonly capabilities: TableCapabilities
}

/** Something that a law needs of its subject. */
export type TableNeed = "log" | "handles together" | "unique tag"

/** What the laws of one group are about. */
export type TableGroup =
  | "reading"
  | "writing"
  | "batches"
  | "ids"
  | "data"
  | "concurrency"
  | "interruption"
  | "log"

/** The subjects of this kit: they have no free types. */
export interface TableSubjects extends TypeLambda {
  readonly type: TableSubject
}

/** One law. */
export type TableLaw = Law<TableSubjects, TableNeed, TableGroup>

/** Why a table does not meet a need; `undefined` when it does. */
export const lacks = ({ capabilities }: TableSubject, need: TableNeed): string | undefined => {
  const { handles, log, tag } = capabilities
  switch (need) {
    case "log":
      return log === "yes" ? undefined : "the table has no log"
    case "handles together":
      return handles === "together" ? undefined : "a place has one handle only"
    case "unique tag":
      return tag === "unique" ? undefined : "no column is unique but the id"
  }
}

/** Why a law is left out for this table; `undefined` when it is not. */
export const tableLeftOutReason = leftOutReasonOf<TableSubjects, TableNeed>(lacks)
