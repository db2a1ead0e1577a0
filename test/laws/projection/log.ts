/** The log of a schedule: it is held up, fails, and is restored from backups. */
import { Effect } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import type { Value } from "./definitions.js"

type Log = ChangeLog.ChangeLog<Value>

/** A log whose revisions get other tags than they had before a backup was restored. */
export interface Restorable {
  readonly log: Log
  /** Puts a log in the place of this one. The revisions beyond `seq` will be others. */
  readonly restore: (log: Log, seq: number) => void
}

/** Restores are told apart as a database's would be: each history draws tags of its own. */
export const restorable = (first: Log): Restorable => {
  let inner = first
  let restores = 0
  let salts: Array<number> = []
  const salted = (revision: ChangeLog.Revision): ChangeLog.Revision =>
    revision.seq === 0
      ? revision
      : { ...revision, tag: (revision.tag ^ (salts[revision.seq] ?? restores)) >>> 0 }
  const index = () => inner.index as ChangeLog.KeyIndex<Value>
  const position = ({ generation, revision }: ChangeLog.KeyPosition): ChangeLog.KeyPosition => ({
    generation,
    revision: salted(revision)
  })
  const note = (revisions: ReadonlyArray<ChangeLog.Revision>): ReadonlyArray<ChangeLog.Revision> => {
    for (const { seq } of revisions) salts[seq] = restores
    return revisions.map(salted)
  }
  const conditions = (entry: ChangeLog.Entry<Value>): ChangeLog.Entry<Value> => ({
    ...entry,
    expect: entry.expect?.map((condition) =>
      "nothing" in condition ? { ...condition, after: salted(condition.after) } : condition
    )
  })
  const append = (changes: ReadonlyArray<ChangeLog.Change<Value>>) =>
    Effect.map(inner.append(changes), (revision) => note([revision])[0] as ChangeLog.Revision)
  const log: Log = {
    ...first,
    append: Object.assign(append, { now: append }),
    commit: (entries) =>
      Effect.map(
        Effect.suspend(() => inner.commit(entries.map(conditions))),
        ({ duplicates, revisions }) => ({ duplicates, revisions: note(revisions) })
      ),
    head: Effect.suspend(() =>
      Effect.map(inner.head, ({ floor, head }) => ({ floor: salted(floor), head: salted(head) }))
    ),
    revisionAt: (seq) =>
      Effect.suspend(() =>
        Effect.map(inner.revisionAt?.(seq) ?? Effect.succeed(undefined), (found) => found && salted(found))
      ),
    compact: (upTo) => Effect.suspend(() => inner.compact(upTo)),
    renewEpoch: Effect.suspend(() => inner.renewEpoch),
    doorbell: (ring) => first.doorbell(ring),
    index: {
      ...index(),
      history: (key, { after, upTo, ...rest }) =>
        Effect.suspend(() =>
          Effect.map(
            index().history(key, {
              ...rest,
              after: after && position(after),
              upTo: upTo && salted(upTo)
            }),
            ({ events, head, last, more }) => ({
              events: events.map(({ event, generation }) => ({
                generation,
                event: { ...event, revision: salted(event.revision) }
              })),
              head: salted(head),
              last: last && position(last),
              more
            })
          )
        )
    }
  }
  return {
    log,
    restore: (next, seq) => {
      inner = next
      restores++
      salts = salts.slice(0, seq + 1)
    }
  }
}

/** What holds up the log's index, for all projections. */
export interface Holds {
  /** Closed: histories are not read. */
  readonly before: Effect.Latch
  /** Closed: histories have been read, and are not answered. */
  readonly after: Effect.Latch
}

/** What happens to the index of one projection. */
export interface Watched {
  readonly log: Log
  /** By keys: when a history was last asked for. */
  readonly askedAt: Map<string, number>
  /** So many of the next histories fail. */
  failNext: number
  /** So many have failed. */
  failed: number
}

const broken = {
  reason: "Unavailable",
  message: "the log is down"
} as const

/** The log as one projection has it. */
export const watched = (
  log: Log,
  holds: Holds,
  setting: {
    readonly now: boolean
    readonly millis: () => number
    readonly outside: <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    readonly failure: (options: typeof broken) => ChangeLog.ChangeLogError
  }
): Watched => {
  const index = log.index as ChangeLog.KeyIndex<Value>
  const result: Watched = {
    log: {
      ...log,
      append: setting.now ? log.append : (changes) => log.append(changes),
      revisionAt: (seq) => setting.outside(log.revisionAt?.(seq) ?? Effect.succeed(undefined)),
      index: {
        ...index,
        history: (key, options) =>
          Effect.suspend(() => {
            result.askedAt.set(key, setting.millis())
            if (result.failNext > 0) {
              result.failNext--
              result.failed++
              return Effect.fail(setting.failure(broken))
            }
            const reading = holds.before.whenOpen(setting.outside(index.history(key, options)))
            return Effect.flatMap(Effect.exit(reading), (answer) => Effect.andThen(holds.after.await, answer))
          })
      }
    },
    askedAt: new Map(),
    failNext: 0,
    failed: 0
  }
  return result
}
