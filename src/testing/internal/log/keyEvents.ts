/** The events that the laws of the index are about, and what is seen of them. */
import { Effect } from "effect"
import {
  type Change,
  forgotten,
  type HistoryOptions,
  type KeyHistory,
  type KeyPosition,
  put,
  remove
} from "../../../ChangeLog.js"
import { ensure, refuses } from "../calls.js"
import type { LogTrial } from "./fixture.js"

/** Puts an event of a kind. */
export const event = (key: string, kind: string, data = 0): Change<unknown> => put(key, { kind, data })

/** Revisions of three keys: several kinds, removals, no kind, forgotten, and two events of a key at once. */
export const written: ReadonlyArray<ReadonlyArray<Change<unknown>>> = [
  [event("/a", "opened"), event("/b", "opened")],
  [event("/a", "paid", 1)],
  [event("/a", "paid", 2), event("/c/1", "noted"), event("/a", "noted")],
  [remove("/a")],
  [put("/b", "no kind"), remove("/never")],
  [event("/a", "opened", 3)],
  [forgotten("/b"), event("/b", "paid")],
  [event("/c/1", "paid"), event("/a", "paid", 4)]
]

export const write = ({ commit, head }: LogTrial) =>
  Effect.flatMap(commit(...written.map((changes) => ({ changes }))), () =>
    Effect.map(head, ({ head }) => head)
  )

const kindOf = (change: Change<unknown>): unknown =>
  change._tag === "Put" ? (change.value as { readonly kind?: unknown }).kind : undefined

export const isOf = (change: Change<unknown>, kinds: ReadonlyArray<string> | undefined): boolean =>
  kinds === undefined || [...kinds, "$forgotten"].some((kind) => kind === kindOf(change))

/** What a history has to be: the events of a key from the revision `from` to `upTo`, in words. */
export const expected = (
  wanted: string,
  kinds?: ReadonlyArray<string>,
  from = 1,
  upTo = written.length
): string => {
  let generation = 0
  const events: Array<string> = []
  for (const [n, changes] of written.entries()) {
    for (const change of changes) {
      if (change.key !== wanted) continue
      generation++
      if (n + 1 >= from && n < upTo && isOf(change, kinds)) {
        events.push(`${generation}@${n + 1} ${change._tag} ${String(kindOf(change))}`)
      }
    }
  }
  return events.join(", ")
}

export const inWords = ({ events }: Pick<KeyHistory<unknown>, "events">): string =>
  events
    .map(
      ({ event, generation }) => `${generation}@${event.revision.seq} ${event._tag} ${String(kindOf(event))}`
    )
    .join(", ")

export const ensureSame = (what: string, seen: string, wanted: string): Effect.Effect<void, string> =>
  ensure(seen === wanted, `${what} is ${seen || "nothing"} instead of ${wanted || "nothing"}`)

export const lastOf = ({ events }: KeyHistory<unknown>): KeyPosition | undefined => {
  const last = events.at(-1)
  return last && { generation: last.generation, revision: last.event.revision }
}

export const ensureLast = ({ last }: KeyHistory<unknown>, generation: number, seq: number) =>
  ensure(
    last?.generation === generation && last.revision.seq === seq,
    `the last event is number ${last?.generation} at ${last?.revision.seq}, and must be ${generation} at ${seq}`
  )

export const refusesHistory = (
  trial: LogTrial,
  what: string,
  kind: string,
  options: Partial<HistoryOptions>
) =>
  Effect.flatMap(trial.index, ({ history }) =>
    refuses(trial, what, kind, () => history("/a", { limit: 10, ...options }))
  )
