/** What a storage law is, what it is held against, what it needs, and what it says when it is broken. */
import { Cause, Data, Duration, Effect, type Scope } from "effect"
import type { Columns, ColumnType } from "../../../internal/columns/columns.js"
import type { Storage } from "../../../Storage.js"

/** A storage does not keep a law. `message` says what was seen and what to do. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly message: string
}> {}

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

/** How a law is checked. */
export interface CheckOptions {
  /** The longest that one call of the storage may take. Default 10 seconds. */
  readonly limit?: Duration.DurationInput | undefined
  /** Where the values come from that are drawn: the same seed draws the same. Default 1. */
  readonly seed?: number | undefined
  /** How many random records a law draws. Default 100. */
  readonly samples?: number | undefined
}

/** One law. */
export interface Law {
  /** For tables and for leaving it out: short, and never changed. */
  readonly name: string
  readonly group: Group
  /** The law in one sentence. */
  readonly statement: string
  /** The law is left out for a storage that has not all of these. */
  readonly needs: ReadonlyArray<Need>
  /** Holds the law against a storage, in a place of its own. */
  readonly check: <Record, Query>(
    subject: Subject<Record, Query>,
    options?: CheckOptions
  ) => Effect.Effect<void, LawBroken>
}

/** A law under way: its subject, and the options with their defaults. */
export interface Trial<in out Record, in out Query> {
  readonly subject: Subject<Record, Query>
  readonly limit: Duration.Duration
  readonly seed: number
  readonly samples: number
}

/** What a law does: it fails with what was seen. */
export type Body = <Record, Query>(trial: Trial<Record, Query>) => Effect.Effect<void, string, Scope.Scope>

const messageOf = (cause: Cause.Cause<string>): string => {
  const seen = Cause.squash(cause)
  return typeof seen === "string" ? seen : `it died: ${seen instanceof Error ? seen.message : String(seen)}`
}

/** Runs the body of a law: what was seen becomes {@link LawBroken}, with `advice` on what to do. */
export const judged = (
  name: string,
  advice: string,
  body: Effect.Effect<void, string, Scope.Scope>
): Effect.Effect<void, LawBroken> =>
  body.pipe(
    Effect.scoped,
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.interrupt
        : new LawBroken({ law: name, message: `${messageOf(cause)}. ${advice}` })
    )
  )

/** How a law is checked, with the defaults. */
export const withDefaults = ({ limit, samples, seed }: CheckOptions = {}) => ({
  limit: Duration.decode(limit ?? "10 seconds"),
  seed: seed ?? 1,
  samples: samples ?? 100
})

/** Makes a law of its data and its body; `advice` says what to do when it is broken. */
export const law = (
  data: Omit<Law, "check" | "needs"> & { readonly needs?: Law["needs"]; readonly advice: string },
  body: Body
): Law => {
  const { advice, group, name, needs = [], statement } = data
  return {
    name,
    group,
    statement,
    needs,
    check: (subject, options) => judged(name, advice, body({ subject, ...withDefaults(options) }))
  }
}

const lacks = <Record, Query>(subject: Subject<Record, Query>, need: Need): string | undefined => {
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
export const leftOutReason = <Record, Query>(
  { needs }: Law,
  subject: Subject<Record, Query>
): string | undefined => {
  for (const need of needs) {
    const reason = lacks(subject, need)
    if (reason !== undefined) return reason
  }
  return undefined
}
