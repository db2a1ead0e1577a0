/** Whether a log in a database is as entries expect it. The head is locked meanwhile. */
import { Effect } from "effect"
import {
  type Compacted,
  type Condition,
  type Conflict,
  type Entry,
  type EpochChanged,
  type GenerationCondition,
  type NothingCondition,
  ownRevision,
  put,
  type Revision,
  remove,
  type SeqCondition,
  validateCursor
} from "../../../internal/log/events.js"
import { isOfGeneration, isOfNothing, isOfSeq, judge } from "../../../internal/log/judge.js"
import type { StorageError } from "../../../Storage.js"
import type { Row } from "../dialect.js"
import type { Step } from "../transaction.js"
import { kindsOrForgotten } from "./keyRows.js"
import { type Encoded, seqOf } from "./rows.js"
import type { HeadRow, LockedStore } from "./store.js"

const keysOf =
  (isOne: (condition: Condition) => condition is GenerationCondition | SeqCondition) =>
  (entries: ReadonlyArray<Encoded>): ReadonlyArray<string> =>
    entries.flatMap(({ expect }) => expect.filter(isOne).map(({ key }) => key))

/** The keys whose generations entries expect. */
export const countedKeys = keysOf(isOfGeneration)

/** The keys whose last values entries expect to be of a revision. */
export const valuedKeys = keysOf(isOfSeq)

/** What the log knows of keys, as of its head. */
export interface KnownKeys {
  /** How many events keys have had. */
  readonly counts: ReadonlyMap<string, number>
  /** The numbers of the revisions of last values. */
  readonly seqs: ReadonlyMap<string, number>
}

type Answer = Revision | Compacted | EpochChanged | undefined

/** So many conditions are one statement: databases bound the terms of a statement. */
const maxConditions = 50

const answerOf = ({ after }: NothingCondition, head: HeadRow, row: Row | undefined): Answer => {
  const tag = row?.c_tag == null ? undefined : Number(row.c_tag)
  const problem = validateCursor(after, head, () => tag)
  if (problem !== undefined || row?.l_seq == null) return problem
  return ownRevision({ epoch: head.head.epoch, seq: Number(row.l_seq), tag: Number(row.l_tag) })
}

/** Reads for each of these conditions what is in its way. */
const readAnswers = (
  { statements }: LockedStore,
  run: Step,
  head: HeadRow,
  conditions: ReadonlyArray<NothingCondition>
): Effect.Effect<ReadonlyMap<NothingCondition, Answer>, StorageError> =>
  Effect.gen(function* () {
    const answers = new Map<NothingCondition, Answer>()
    const { index } = statements
    for (let from = 0; index !== undefined && from < conditions.length; from += maxConditions) {
      const some = conditions.slice(from, from + maxConditions)
      const statement = index.matches(
        some.map(({ after, kinds, nothing }) => ({
          after: seqOf(after),
          through: undefined,
          selector: nothing,
          kinds: kindsOrForgotten(kinds)
        }))
      )
      const rows = new Map(statements.dialect.rows(yield* run(statement)).map((row) => [String(row.n), row]))
      for (const [n, condition] of some.entries()) {
        answers.set(condition, answerOf(condition, head, rows.get(String(n))))
      }
    }
    return answers
  })

/** An entry with no more of its values than decides on a condition. */
const judgedEntry = ({ changes, expect }: Encoded): Entry<unknown> => ({
  changes: changes.map(({ key, kind, value }) =>
    value === undefined ? remove(key) : put(key, kind === undefined ? null : { kind })
  ),
  expect
})

/** Fails with the first conflict, if there is one. */
export const judgeLocked = (
  store: LockedStore,
  run: Step,
  head: HeadRow,
  fresh: ReadonlyArray<Encoded>,
  { counts, seqs }: KnownKeys
): Effect.Effect<void, Conflict | StorageError> =>
  Effect.gen(function* () {
    if (fresh.every(({ expect }) => expect.length === 0)) return
    const conditions = fresh.flatMap(({ expect }) => expect.filter(isOfNothing))
    const answers = yield* readAnswers(store, run, head, conditions)
    const conflict = judge(
      fresh.map((entry) => ({ index: entry.index, entry: judgedEntry(entry) })),
      {
        head: head.head.seq,
        seqOf: (key) => seqs.get(key) ?? "absent",
        generationOf: (key) => counts.get(key) ?? 0,
        firstAfter: (condition) => answers.get(condition)
      }
    )
    if (conflict !== undefined) return yield* conflict
  })
