/** Where a history takes place: one log by two handles, and what was really committed to it. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { Fault, Sample } from "./schedule.js"
import type { Value } from "./validators.js"

export type Log = ChangeLog.ChangeLog<Value>

/** One revision as it was committed: of each change the key, and the value when it was put. */
export interface Committed {
  readonly seq: number
  readonly tag: number
  readonly id: string | undefined
  readonly changes: ReadonlyArray<readonly [key: string, value?: Value]>
}

/** One epoch of a log. */
export interface Life {
  readonly epoch: string
  readonly revisions: ReadonlyArray<Committed>
}

export interface Place {
  /** Two handles of one empty log. */
  readonly logs: readonly [Log, Log]
  /** What was committed until now, by somebody else's eyes; also what the log has given up since. */
  readonly lives: Effect.Effect<ReadonlyArray<Life>>
  /** Whether calls may fail as unavailable. */
  readonly fails: boolean
  /** Whether rings of the other process arrive. */
  readonly isUp: Effect.Effect<boolean>
  /** Completes when they do. */
  readonly up: Effect.Effect<void>
  /** It gives up revisions by itself. */
  readonly evicts: boolean
  readonly fault: (fault: Fault) => Effect.Effect<unknown>
  /** No more faults. */
  readonly heal: Effect.Effect<void>
}

export type OpenPlace = (sample: Sample) => Effect.Effect<Place>

const changesOf = (changes: ReadonlyArray<ChangeLog.Change<Value>>): Committed["changes"] =>
  changes.map((change) => (change._tag === "Put" ? [change.key, change.value] : [change.key]))

/** A log in memory, of which everything is written down that it takes. */
export const memoryPlace: OpenPlace = ({ maxRevisions, state }) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Value>({ state, maxRevisions })
    const lives: Array<{ readonly epoch: string; readonly revisions: Array<Committed> }> = []
    const begun = (epoch: string) => Effect.sync(() => lives.push({ epoch, revisions: [] }))
    const told = (
      entries: ReadonlyArray<ChangeLog.Entry<Value>>,
      revisions: ReadonlyArray<ChangeLog.Revision>
    ) =>
      Effect.sync(() => {
        for (const [i, { epoch, seq, tag }] of revisions.entries()) {
          const { changes, id } = entries[i]!
          const life = lives.find((life) => life.epoch === epoch)
          life?.revisions.push({ seq, tag, id, changes: changesOf(changes) })
        }
      })
    yield* begun((yield* log.head).head.epoch)
    const noted: Log = {
      ...log,
      append: (changes) => Effect.tap(log.append(changes), (revision) => told([{ changes }], [revision])),
      commit: (entries) => Effect.tap(log.commit(entries), ({ revisions }) => told(entries, revisions)),
      renewEpoch: Effect.tap(log.renewEpoch, begun)
    }
    return {
      logs: [noted, noted] as const,
      lives: Effect.sync(() => lives),
      fails: false,
      isUp: Effect.succeed(true),
      up: Effect.void,
      evicts: maxRevisions < 1000,
      fault: () => Effect.void,
      heal: Effect.void
    }
  }).pipe(Effect.orDie)
