/** What a log's index of keys does in its database. */
import { Effect } from "effect"
import {
  type Compacted,
  compacted,
  type EpochChanged,
  epochChanged,
  type LoggedRevision,
  ownRevision,
  type Revision,
  validateCursor
} from "../../../internal/log/events.js"
import type {
  HistoryOptions,
  KeyEvent,
  KeyHistory,
  KeyPosition,
  Scan,
  ScanOptions
} from "../../../internal/log/keyIndex.js"
import { matcherOfKinds } from "../../../internal/log/kinds.js"
import { matcherOf } from "../../../internal/log/selector.js"
import type { StorageError } from "../../../Storage.js"
import type { Row } from "../dialect.js"
import { kindsOrForgotten } from "./keyRows.js"
import type { KeyStatements } from "./keyStatements.js"
import { decodeEvent, decodeRow, seqOf, wholeOf } from "./rows.js"
import {
  decodeHead,
  execute,
  type HeadRow,
  type LogStore,
  missingFeed,
  unreadableRow,
  withHead
} from "./store.js"

type Unreadable = Compacted | EpochChanged

/** A revision in a row: columns under names that begin with an alias. */
const revisionIn = (row: Row, alias: string, { head }: HeadRow): Revision =>
  ownRevision({ epoch: head.epoch, seq: Number(row[`${alias}_seq`]), tag: Number(row[`${alias}_tag`]) })

const positionIn = (row: Row, alias: string, head: HeadRow): KeyPosition | undefined =>
  row[`${alias}_seq`] == null
    ? undefined
    : { generation: Number(row[`${alias}_generation`]), revision: revisionIn(row, alias, head) }

const tagIn = (row: Row, alias: string): number | undefined =>
  row[`${alias}_tag`] == null ? undefined : Number(row[`${alias}_tag`])

/** The last event of a key that is removed. */
const goneIn = (row: Row, { head }: HeadRow): KeyPosition | undefined => {
  const generation = Number(row.k_gone ?? 0)
  return generation === 0
    ? undefined
    : {
        generation,
        revision: ownRevision({
          epoch: head.epoch,
          seq: Number(row.k_gone_seq),
          tag: Number(row.k_gone_tag)
        })
      }
}

const isSame = (a: KeyPosition, b: KeyPosition): boolean =>
  a.generation === b.generation && a.revision.seq === b.revision.seq && a.revision.tag === b.revision.tag

/** Why the events of a key cannot be read after a position, or `undefined`. `held` is the event there, `gone` the last one removed. */
const validatePosition = (
  after: KeyPosition | undefined,
  { floor, head }: HeadRow,
  held: KeyPosition | undefined,
  gone: KeyPosition | undefined
): Unreadable | undefined => {
  if (after === undefined) return gone && compacted(floor.seq)
  if (after.revision.epoch !== head.epoch || wholeOf(after.generation) < 1) return epochChanged(head.epoch)
  if (gone !== undefined && after.generation < gone.generation) return compacted(floor.seq)
  const known = gone?.generation === after.generation ? gone : held
  return known !== undefined && isSame(known, after) ? undefined : epochChanged(head.epoch)
}

/** Runs a statement of the index that gives the head in each row. */
const rowsWithHead = (
  store: LogStore,
  statement: ReturnType<KeyStatements["history"]>
): Effect.Effect<
  { readonly rows: readonly [Row, ...ReadonlyArray<Row>]; readonly head: HeadRow },
  StorageError
> =>
  Effect.flatMap(execute(store, statement), (result) => {
    const [first, ...rest] = store.statements.dialect.rows(result)
    return first === undefined
      ? Effect.fail(missingFeed(store.feed))
      : Effect.succeed({ rows: [first, ...rest] as const, head: decodeHead(first) })
  })

/** Reads events of one key. */
export const history = <V>(
  store: LogStore,
  index: KeyStatements,
  key: string,
  { after, kinds, limit, upTo }: HistoryOptions
): Effect.Effect<KeyHistory<V>, StorageError | Unreadable> =>
  Effect.gen(function* () {
    // One more than is asked for: whether more follow.
    const statement = index.history(key, { after, kinds: kindsOrForgotten(kinds), limit: limit + 1, upTo })
    const { head, rows } = yield* rowsWithHead(store, statement)
    const [first] = rows
    const gone = goneIn(first, head)
    const problem =
      (upTo && validateCursor(upTo, head, () => tagIn(first, "u"))) ??
      validatePosition(after, head, positionIn(first, "a", head), gone)
    if (problem !== undefined) return yield* problem
    const events = yield* Effect.try({
      try: () =>
        rows.flatMap((row): ReadonlyArray<KeyEvent<V>> => {
          const position = positionIn(row, "e", head)
          if (position === undefined) return []
          const { generation, revision } = position
          return [Object.freeze({ generation, event: decodeEvent<V>(row.e_change, revision) })]
        }),
      catch: () => unreadableRow(store.feed)
    })
    return {
      events: events.slice(0, limit),
      more: events.length > limit,
      last: positionIn(first, "b", head) ?? gone,
      head: upTo === undefined ? head.head : ownRevision(upTo)
    }
  })

/** A scan looks through so many revisions at a time: each of them may have to be looked into. */
const maxScanned = 10_000

/** Gives the events of a revision that are asked for, or `undefined` if there is none. */
type Filter<V> = (logged: LoggedRevision<V>) => LoggedRevision<V> | undefined

const filterOf = <V>({ kinds, selector }: ScanOptions): Filter<V> => {
  const isMatch = selector && matcherOf(selector)
  const isOfKinds = matcherOfKinds(kinds)
  return ({ events: all, revision }) => {
    const events = all.filter((event) => isMatch?.(event.key) !== false && isOfKinds?.(event) !== false)
    return events.length === 0
      ? undefined
      : Object.freeze({ revision, events: Object.freeze(events), previous: undefined })
  }
}

/** Reads events of some keys and kinds. The selector has been checked. */
export const scan = <V>(
  store: LogStore,
  index: KeyStatements,
  options: ScanOptions
): Effect.Effect<Scan<V>, StorageError | Unreadable> =>
  Effect.gen(function* () {
    const { after, kinds, limit, selector, upTo } = options
    const through = Math.min(seqOf(after) + maxScanned, upTo === undefined ? Infinity : seqOf(upTo))
    const { head, rows } = yield* rowsWithHead(
      store,
      index.scan({
        after: seqOf(after),
        through,
        upTo: upTo === undefined ? -1 : seqOf(upTo),
        selector,
        kinds: kindsOrForgotten(kinds),
        limit
      })
    )
    const [first] = rows
    const problem =
      validateCursor(after, head, () => tagIn(first, "c")) ??
      (upTo && validateCursor(upTo, head, () => tagIn(first, "u")))
    if (problem !== undefined) return yield* problem
    const filter = filterOf<V>(options)
    const revisions = yield* Effect.try({
      try: () =>
        rows.flatMap(({ l_changes: changes, l_seq: seq, l_tag: tag }) => {
          const found = seq == null ? undefined : filter(decodeRow<V>(head.head.epoch, { changes, seq, tag }))
          return found === undefined ? [] : [found]
        }),
      catch: () => unreadableRow(store.feed)
    })
    const last = revisions.length < limit ? undefined : revisions.at(-1)
    const end = upTo === undefined ? head.head : ownRevision(upTo)
    const searched =
      through < end.seq
        ? ownRevision({ epoch: head.head.epoch, seq: through, tag: Number(first.w_tag) })
        : end
    return { revisions, reached: last?.revision ?? searched, head: end }
  })

/** Keeps what comes after a revision from the retention. Nothing is removed meanwhile. */
export const hold = (
  store: LogStore,
  index: KeyStatements,
  name: string,
  after: Revision
): Effect.Effect<void, StorageError | EpochChanged> =>
  withHead(store, (run, { floor, head }) =>
    Effect.gen(function* () {
      const { dialect, tagAt } = store.statements
      const [row] = dialect.rows(yield* run(tagAt(seqOf(after))))
      const problem = validateCursor(after, { floor, head }, () =>
        row == null ? undefined : Number(row.tag)
      )
      if (problem?._tag === "EpochChanged") return yield* problem
      yield* run(index.hold(name, after))
    })
  )

/** Gives up what the name keeps. */
export const release = (
  store: LogStore,
  index: KeyStatements,
  name: string
): Effect.Effect<void, StorageError> => Effect.asVoid(execute(store, index.release(name)))
