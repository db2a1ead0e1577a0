/** A master that shows the writes of its target later, each within `targetLag`. */
import { Effect, Option } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import * as Table from "../../../src/Table.js"
import type { VirtualTime } from "../../support/time/virtualTime.js"
import { type Items, items, type State } from "./rows.js"
import { type Setting, targetLag } from "./schedule.js"

export interface Late {
  /** What reads see. */
  readonly read: Table.Table<Items>
  /** Takes the writes. */
  readonly write: Table.Table<Items>
  /** The last state was reached now. */
  readonly noteState: () => void
  readonly show: (count: number) => Effect.Effect<void, unknown>
  readonly showUntil: (millis: number) => Effect.Effect<void, unknown>
}

/** The revisions of the states, as far as they are known: those of the log, where there is one. */
type Revisions = Map<number, Revision>

/** Gives what is read the revision of the state that is shown. */
const withRevision = (
  copy: Table.Table<Items>,
  revisions: Revisions,
  shown: () => number
): Table.Table<Items> => {
  const revised = <A extends object, E>(read: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.map(read, (answer) => {
      const known = [...revisions].filter(([state]) => state <= shown())
      return { ...answer, revision: known.at(-1)?.[1] }
    })
  return {
    ...copy,
    list: (query) => revised(copy.list(query)),
    getMany: (ids) => revised(copy.getMany(ids)),
    count: (where) => revised(copy.count(where))
  }
}

/** Gives what is written the revision of the state that it makes. */
const withNext = (
  table: Table.Table<Items>,
  history: ReadonlyArray<State>,
  revisions: Revisions
): Table.Table<Items> => ({
  ...table,
  write: (writes, batch) =>
    Effect.map(table.write(writes, batch), (outcomes) =>
      outcomes.map((outcome) => {
        if (outcome._tag !== "Written") return outcome
        const state = history.length
        const revision = Option.getOrElse(outcome.revision, () => ({ epoch: "target", seq: state, tag: 0 }))
        revisions.set(state, revision)
        return { ...outcome, revision: Option.some(revision) }
      })
    )
})

/** What is written and read has no revision. */
const withoutRevision = (table: Table.Table<Items>): Table.Table<Items> => ({
  ...table,
  write: (writes, batch) =>
    Effect.map(table.write(writes, batch), (outcomes) =>
      outcomes.map((outcome) =>
        outcome._tag === "Written" ? { ...outcome, revision: Option.none() } : outcome
      )
    )
})

/** Without a target, reads see the backend. */
export const makeLate = (
  backend: Table.Table<Items>,
  { clock }: VirtualTime,
  history: ReadonlyArray<State>,
  target: Setting["target"]
): Late => {
  if (target === "none") {
    const nothing = () => Effect.void
    return { read: backend, write: backend, noteState: () => undefined, show: nothing, showUntil: nothing }
  }
  const copy = Effect.runSync(Table.memory(items))
  const at = { shown: 0 }
  const revisions: Revisions = new Map()
  const reachedAt: Array<number> = [0]
  const showState = (state: number): Effect.Effect<void, unknown> =>
    Effect.suspend(() => {
      if (state <= at.shown) return Effect.void
      at.shown = state
      const rows = history[state]!.map((row) => ({ _tag: "Insert" as const, row }))
      return Effect.asVoid(copy.write([{ _tag: "DeleteAll" }, ...rows]))
    })
  return {
    read: target === "late" ? copy : withRevision(copy, revisions, () => at.shown),
    write: target === "late" ? withoutRevision(backend) : withNext(backend, history, revisions),
    noteState: () => {
      reachedAt[history.length - 1] = clock.unsafeCurrentTimeMillis()
    },
    show: (count) => Effect.suspend(() => showState(Math.min(history.length - 1, at.shown + count))),
    showUntil: (millis) =>
      Effect.suspend(() => showState(reachedAt.filter((time) => time + targetLag <= millis).length - 1))
  }
}
