/** How a log gives up its oldest revisions. */
import { Effect } from "effect"
import type { StorageError } from "../../../Storage.js"
import { inBatches } from "../batches.js"
import type { Step } from "../transaction.js"
import { execute, type LogStore, now, readHead, unreadableRow, withHead } from "./store.js"

/** Revisions that go in one transaction: others commit in between. */
const maxDiscarded = 1000

/** Whether revisions that a reader keeps by the index of keys stay. */
type Held = "stay" | "go"

/** The last revision that no reader keeps. The head is locked, so that none begins to. */
const freeUpTo = ({ statements }: LogStore, run: Step): Effect.Effect<number, StorageError> =>
  statements.index === undefined
    ? Effect.succeed(Number.POSITIVE_INFINITY)
    : Effect.map(run(statements.index.leastHold()), (result) => {
        const least = statements.dialect.rows(result)[0]
        return least === undefined ? Number.POSITIVE_INFINITY : Number(least.seq)
      })

/** Gives up revisions of an epoch, a batch at a time, and gives their number. */
const discardUpTo = (
  store: LogStore,
  epoch: string,
  upTo: number,
  held: Held
): Effect.Effect<number, StorageError> => {
  const { statements } = store
  const batch = withHead(store, (run, { floor, head }) =>
    Effect.gen(function* () {
      const free = held === "go" ? Number.POSITIVE_INFINITY : yield* freeUpTo(store, run)
      const to = Math.min(upTo, head.seq, floor.seq + maxDiscarded, free)
      if (head.epoch !== epoch || !(to > floor.seq)) return 0
      const found = to === head.seq ? head : statements.dialect.rows(yield* run(statements.tagAt(to)))[0]
      if (found === undefined) return yield* unreadableRow(store.feed)
      // Before the revisions, which name the keys.
      for (const statement of statements.index?.removeUpTo(to) ?? []) yield* run(statement)
      yield* run(statements.deleteUpTo(to))
      yield* run(statements.moveFloor(to, Number(found.tag)))
      return to - floor.seq
    })
  )
  return inBatches(batch, maxDiscarded)
}

/** Gives up the revisions up to and including `upTo`, whether a reader keeps them or not. */
export const compact = (store: LogStore, upTo: number): Effect.Effect<void, StorageError> =>
  Effect.flatMap(readHead(store), ({ head }) => discardUpTo(store, head.epoch, Math.ceil(upTo), "go"))

/** How much of its history a log holds. `undefined` is no bound. */
export interface Bounds {
  readonly count: number | undefined
  readonly bytes: number | undefined
  /** Milliseconds. */
  readonly age: number | undefined
}

/** The first instant that a column holds: nothing is older. */
const earliest = Date.parse("0001-01-01T00:00:00.000Z")

/** Gives up the revisions that are beyond the bounds and that no reader keeps, and gives their number. */
export const prune = (store: LogStore, { age, bytes, count }: Bounds): Effect.Effect<number, StorageError> =>
  Effect.gen(function* () {
    const { statements } = store
    const { bytes: all, head } = yield* readHead(store)
    const before = (column: "base" | "at", value: unknown, none: number) =>
      Effect.map(execute(store, statements.firstFrom(column, value)), (result) => {
        const found = statements.dialect.rows(result)[0]
        return found === undefined ? none : Number(found.seq) - 1
      })
    let upTo = count === undefined ? 0 : head.seq - count
    // The last revision stays, however large it is.
    if (bytes !== undefined) upTo = Math.max(upTo, yield* before("base", all - bytes, head.seq - 1))
    if (age !== undefined) {
      const from = new Date(Math.max((yield* now).getTime() - age, earliest))
      upTo = Math.max(upTo, yield* before("at", from, head.seq))
    }
    return upTo > 0 ? yield* discardUpTo(store, head.epoch, upTo, "stay") : 0
  })
