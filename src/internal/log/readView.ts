/** A log as its readers see it: its values are changed on the way out, and nothing is appended through it. */
import { Effect, Option } from "effect"
import type { ChangeLog } from "./changeLog.js"
import {
  ChangeLogError,
  type Event,
  epochChanged,
  type KeyValue,
  type LoggedRevision,
  type Revision,
  refusal
} from "./events.js"

const readOnly = refusal("Invalid", "this log is written by its owner: call the owner instead")

const eventOf = <A, B>(event: Event<A>, f: (key: string, value: A) => B): Event<B> =>
  event._tag === "Delete"
    ? Object.freeze({ _tag: "Delete" as const, key: event.key, revision: event.revision })
    : Object.freeze({
        _tag: "Put" as const,
        key: event.key,
        value: f(event.key, event.value),
        revision: event.revision
      })

const revisionOf = <A, B>(
  { events, previous, revision }: LoggedRevision<A>,
  f: (key: string, value: A) => B
): LoggedRevision<B> =>
  Object.freeze({
    revision,
    events: Object.freeze(events.map((event) => eventOf(event, f))),
    previous:
      previous &&
      Object.freeze(
        previous.map((before, index) => Option.map(before, (value) => f(events[index]!.key, value)))
      )
  })

const keyValueOf = <A, B>(
  { key, revision, value }: KeyValue<A>,
  f: (key: string, value: A) => B
): KeyValue<B> => Object.freeze({ key, value: f(key, value), revision })

/** The log with a mark at the end of its epoch's name, so that cursors without that mark are of another history. */
const marked = <A>(log: ChangeLog<A>, mark: string): ChangeLog<A> => {
  const out = (revision: Revision): Revision =>
    Object.freeze({ ...revision, epoch: `${revision.epoch}${mark}` })
  const eventOut = (event: Event<A>, revision: Revision): Event<A> => Object.freeze({ ...event, revision })
  const { revisionAt } = log
  const head = Effect.map(log.head, ({ floor, head }) => ({ floor: out(floor), head: out(head) }))
  return {
    ...log,
    read: ({ after, limit }) => {
      const { epoch } = after
      if (!epoch.endsWith(mark)) return Effect.flatMap(head, ({ head }) => epochChanged(head.epoch))
      const own = { ...after, epoch: epoch.slice(0, -mark.length) }
      return Effect.mapBoth(log.read({ after: own, limit }), {
        onFailure: (error) => (error._tag === "EpochChanged" ? epochChanged(`${error.epoch}${mark}`) : error),
        onSuccess: (rows) =>
          rows.map((row) => {
            const revision = out(row.revision)
            const events = Object.freeze(row.events.map((event) => eventOut(event, revision)))
            return Object.freeze({ ...row, revision, events })
          })
      })
    },
    head,
    ...(revisionAt && {
      revisionAt: (seq: number) => Effect.map(revisionAt(seq), (revision) => revision && out(revision))
    }),
    snapshot: (selector) =>
      Effect.map(log.snapshot(selector), ({ entries, revision }) => ({
        revision: out(revision),
        entries: entries.map((entry) => Object.freeze({ ...entry, revision: out(entry.revision) }))
      }))
  }
}

/** A value that `f` throws at fails what is read, and never the fiber of a reader. */
const viewed = <A>(read: () => A): Effect.Effect<A, ChangeLogError> =>
  Effect.try({
    try: read,
    catch: (cause) =>
      new ChangeLogError({ reason: "Invalid", message: "a value of the log cannot be read", cause })
  })

/**
 * Makes the view of a log. `f` is pure; its results are shared by all readers of the view. With a mark, the epochs that
 * readers see end in it, and a cursor without it is refused with `EpochChanged`.
 */
export const readView = <A, B>(
  given: ChangeLog<A>,
  f: (key: string, value: A) => B,
  mark = ""
): ChangeLog<B> => {
  const log = mark === "" ? given : marked(given, mark)
  const { revisionAt } = log
  return {
    append: () => Effect.fail(readOnly),
    commit: () => Effect.fail(readOnly),
    check: () => readOnly,
    read: (options) =>
      Effect.flatMap(log.read(options), (rows) => viewed(() => rows.map((row) => revisionOf(row, f)))),
    head: log.head,
    ...(revisionAt && { revisionAt: (seq: number) => revisionAt(seq) }),
    compact: () => Effect.fail(readOnly),
    renewEpoch: Effect.fail(readOnly),
    snapshot: (selector) =>
      Effect.flatMap(log.snapshot(selector), ({ entries, revision }) =>
        viewed(() => ({ revision, entries: entries.map((entry) => keyValueOf(entry, f)) }))
      ),
    state: log.state,
    doorbell: (ring) => log.doorbell(ring)
  }
}
