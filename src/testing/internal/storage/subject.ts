/** What the laws of storages are held against, and what they need of it. */
import type { Effect, Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { Columns, ColumnType } from "../../../internal/columns/columns.js"
import type { Storage } from "../../../Storage.js"
import { type Law as GenericLaw, lawMaker, leftOutReasonOf, type Trial } from "../law.js"

/** Where a storage keeps its records: a file, a table, a map. Empty when it is made. */
export interface Place<in out Record, in Query> {
  /**
   * Opens a handle on the place, for as long as its scope lives. With `handles: "one"` it runs once a place, else again
   * and again, and every handle finds what the others have saved.
   */
  readonly open: Effect.Effect<Storage<Record, Query, ReadonlyArray<Record>>, unknown, Scope.Scope>
  /**
   * The ids that another reader sees now, as `idOf` gives them: a connection of its own, the file's bytes. It must
   * not go through the storage under test: a save counts as committed when its ids are here.
   */
  readonly peek: Effect.Effect<ReadonlyArray<string>, unknown>
}

/** What a storage promises beyond the contract of `Storage`. A law that needs more than that is left out. */
export interface Capabilities {
  /** What becomes of a record whose id is held already. */
  readonly duplicates: "ignored" | "kept"
  /** Whether `peek` gives the ids in the order in which their records were saved. */
  readonly peeks: "in order" | "in any order"
  /** Whether the query `all` is answered in the order of saving. */
  readonly loads: "in order" | "in any order"
  /** How many handles one place may have: one for good, one after the other, several at the same time. */
  readonly handles: "one" | "in turn" | "together"
  /** Whether the storage has a `prepare`. */
  readonly prepares: "yes" | "no"
}

/** A storage under test: how to open it, and records for it. */
export interface Subject<in out Record, in out Query> {
  readonly name: string
  /** Makes an empty place of its own for every law. */
  readonly place: Effect.Effect<Place<Record, Query>, unknown, Scope.Scope>
  readonly capabilities: Capabilities
  /** A good record. Each number has an id of its own; the same number gives an equal record, made anew. */
  readonly record: (i: number) => Record
  readonly idOf: (record: Record) => string
  /** The query that everything answers to. */
  readonly all: Query
  /** Records that the storage must refuse, by what is wrong with them. Their ids are those of `record(i)`. */
  readonly poison?: { readonly [what: string]: (i: number) => Record } | undefined
  /** The record with the id of `record(i)` that breaks another unique constraint when `record(other)` is held. */
  readonly clash?: ((i: number, other: number) => Record) | undefined
  /** A good record, as `record(i)` is, whose id is this text. Left out when ids are no text. */
  readonly withId?: ((i: number, id: string) => Record) | undefined
  /** The record with the id of `record(i)` that holds this text. */
  readonly withText?: ((i: number, text: string) => Record) | undefined
  /** The query for a page of everything, in an order of the subject's own. Pages have `limit` records, and count from 1. */
  readonly page?: ((limit: number, page: number) => Query) | undefined
  /** A query that the storage cannot answer. */
  readonly wrongQuery?: Query | undefined
  /**
   * The records are rows of these columns, checked and read back as `Storage.memory({ columns, id })` does. The laws
   * try every kind of value in them, but for the id and for the columns in `keep`, whose values stay those of
   * `record(i)`: those that have a constraint of their own.
   */
  readonly table?:
    | { readonly columns: Columns; readonly id: string; readonly keep?: ReadonlyArray<string> | undefined }
    | undefined
}

/** Something that a law needs of its subject. */
export type Need =
  | "duplicates ignored"
  | "peeks in order"
  | "loads in order"
  | "handles in turn"
  | "handles together"
  | "prepares"
  | "poison"
  | "clash"
  | "withId"
  | "withText"
  | "page"
  | "wrongQuery"
  | "table"
  | `column ${ColumnType}`

/** What the laws of one group are about. */
export type Group =
  | "saving"
  | "loading"
  | "order"
  | "duplicates"
  | "errors"
  | "acknowledgement"
  | "partial commits"
  | "hangs"
  | "interruption"
  | "lost answers"
  | "unique constraints"
  | "concurrency"
  | "reopening"
  | "preparing"
  | "recorder"
  | "data"

/** The subjects of this kit, by the types of their records and queries. */
export interface Subjects extends TypeLambda {
  readonly type: Subject<this["Target"], this["Out1"]>
}

/** One law. */
export type Law = GenericLaw<Subjects, Need, Group>

/** A law of storages under way. */
export type StorageTrial<Record, Query> = Trial<Subject<Record, Query>>

/** Makes a law of its data and its body. */
export const law = lawMaker<Subjects, Need, Group>()

/** Why a subject does not meet a need; `undefined` when it does. */
export const lacks = <Record, Query>(subject: Subject<Record, Query>, need: Need): string | undefined => {
  const { duplicates, handles, loads, peeks, prepares } = subject.capabilities
  switch (need) {
    case "duplicates ignored":
      return duplicates === "ignored" ? undefined : "the storage keeps duplicates"
    case "peeks in order":
      return peeks === "in order" ? undefined : "its ids are not peeked at in order"
    case "loads in order":
      return loads === "in order" ? undefined : "its records are not loaded in order"
    case "handles in turn":
      return handles !== "one" ? undefined : "a place has one handle only"
    case "handles together":
      return handles === "together" ? undefined : "a place has one handle at a time"
    case "prepares":
      return prepares === "yes" ? undefined : "the storage has no prepare"
    case "poison":
    case "clash":
    case "withId":
    case "withText":
    case "page":
    case "wrongQuery":
    case "table":
      return subject[need] === undefined ? `${need} is not given` : undefined
    default: {
      const type = need.slice("column ".length)
      const { columns = {}, id = "", keep = [] } = subject.table ?? {}
      const free = Object.keys(columns).filter((name) => name !== id && !keep.includes(name))
      return free.some((name) => columns[name]?.type === type)
        ? undefined
        : `no free column has the type ${type}`
    }
  }
}

/** Why a law is left out for this storage; `undefined` when it is not. */
export const leftOutReason = leftOutReasonOf<Subjects, Need>(lacks)
