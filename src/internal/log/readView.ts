/** A log as its readers see it: its values are changed on the way out, and nothing is appended through it. */
import { Effect, Option } from "effect"
import type { ChangeLog } from "./changeLog.js"
import { type Event, type KeyValue, type LoggedRevision, refusal } from "./events.js"

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

/** Makes the view of a log. `f` is pure; its results are shared by all readers of the view. */
export const readView = <A, B>(log: ChangeLog<A>, f: (key: string, value: A) => B): ChangeLog<B> => {
  const { revisionAt } = log
  return {
    append: () => Effect.fail(readOnly),
    commit: () => Effect.fail(readOnly),
    check: () => readOnly,
    read: (options) => Effect.map(log.read(options), (rows) => rows.map((row) => revisionOf(row, f))),
    head: log.head,
    ...(revisionAt && { revisionAt: (seq: number) => revisionAt(seq) }),
    compact: () => Effect.fail(readOnly),
    renewEpoch: Effect.fail(readOnly),
    snapshot: (selector) =>
      Effect.map(log.snapshot(selector), ({ entries, revision }) => ({
        revision,
        entries: entries.map((entry) => keyValueOf(entry, f))
      })),
    state: log.state,
    doorbell: (ring) => log.doorbell(ring)
  }
}
