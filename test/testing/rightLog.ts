/** A change log that keeps every law, in parts that a wrong one replaces. */
import { Effect, Either, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { validateEntry } from "../../src/internal/log/entry.js"
import { resolveSelector } from "../../src/internal/log/selector.js"
import type { Subject } from "../../src/testing/ChangeLogLaws.js"
import { rightIndex } from "./rightIndex.js"
import {
  type Disk,
  type Held,
  invalid,
  moment,
  newDisk,
  type Parts,
  parts,
  retention,
  valueProblem
} from "./rightParts.js"

export {
  type Disk,
  firstOfEachId,
  floorAt,
  type Held,
  invalid,
  newDisk,
  type Parts,
  parts
} from "./rightParts.js"

type Entry = ChangeLog.Entry<unknown>
type Revision = ChangeLog.Revision
type Log = ChangeLog.ChangeLog<unknown>

/** The first entry that cannot be, and why. */
export const refusal = (entries: ReadonlyArray<Entry>, of: Parts): ChangeLog.ChangeLogError | undefined => {
  for (const [index, entry] of entries.entries()) {
    const message = of.problem(entry)
    if (message !== undefined) return invalid(message, index)
    if (of.tooLarge(entry)) {
      return new ChangeLog.ChangeLogError({
        reason: "TooLarge",
        message: "too large",
        index,
        outcome: "NotStored"
      })
    }
  }
  return undefined
}

/** Makes a row of an entry, behind the head, and brings the state up to it. */
export const rowOf = (disk: Disk, { changes, id }: Entry, of: Parts): Held => {
  const revision: Revision = { epoch: disk.head.epoch, seq: of.number(disk), tag: of.tag(disk) }
  disk.head = revision
  const previous: Array<Option.Option<unknown>> = []
  const events = changes.map(of.keep).map((change): ChangeLog.Event<unknown> => {
    previous.push(Option.map(Option.fromNullable(disk.state.get(change.key)), ({ value }) => value))
    if (change._tag === "Put") disk.state.set(change.key, { key: change.key, value: change.value, revision })
    else disk.state.delete(change.key)
    const event = { ...change, revision }
    disk.events.push({ generation: of.count(disk, change.key) + 1, event })
    return event
  })
  return of.seal({ revision, events, previous, id })
}

/** Commits in one moment. */
export const commitNow = (
  disk: Disk,
  entries: ReadonlyArray<Entry>,
  of: Parts
): Either.Either<ChangeLog.CommitResult, ChangeLog.ChangeLogError | ChangeLog.Conflict> => {
  const refused = refusal(entries, of) ?? of.conflict(disk, entries, of)
  if (refused !== undefined) return Either.left(refused)
  const rows = of.fresh(disk, entries).map((entry) => rowOf(disk, entry, of))
  of.write(disk, rows)
  const excess = disk.rows.length - retention
  if (excess > 0) of.compact(disk, Math.min(disk.floor.seq + excess, of.keepAfter(disk)))
  if (rows.length > 0) of.ring(disk)
  return Either.right({
    revisions: rows.map(({ revision }) => revision),
    duplicates: entries.length - rows.length
  })
}

/** The log, with some parts replaced. */
export const right = (
  disk: Disk,
  state: "latest" | "none",
  over: Partial<Parts> = {},
  keys: "indexed" | "none" = "none"
): Log => {
  const isIndexed = keys === "indexed"
  const problem: Parts["problem"] = (entry) => validateEntry(entry, { keys, state }) ?? valueProblem(entry)
  const of: Parts = { ...parts, problem, ...over }
  const commit: Log["commit"] = (entries) => moment(() => commitNow(disk, entries, of))
  return {
    append: (changes) =>
      Effect.map(commit([{ changes }]), ({ revisions }) => revisions[0] as Revision).pipe(
        // The entry expects nothing.
        Effect.catchTag("Conflict", Effect.die)
      ),
    commit,
    check: (entry) => refusal([entry], of),
    read: ({ after, limit }) =>
      Number.isSafeInteger(limit) && limit > 0
        ? moment(() => {
            const problem = of.cursor(disk, after)
            if (problem !== undefined) return Either.left(problem)
            const rows = of.after(disk, after.seq, limit)
            return Either.right(
              state === "latest" ? rows : rows.map((row) => ({ ...row, previous: undefined }))
            )
          })
        : Effect.fail(invalid("a wrong limit")),
    head: moment(() => Either.right({ head: { ...disk.head }, floor: { ...disk.floor } })),
    compact: (upTo) => moment(() => Either.right(of.compact(disk, upTo))),
    renewEpoch: moment(() => {
      if (isIndexed) of.move(disk)
      else of.renew(disk)
      return Either.right(disk.head.epoch)
    }),
    snapshot: (selector) =>
      Effect.flatMap(resolveSelector(selector), (selector) =>
        state === "none"
          ? new ChangeLog.ChangeLogError({ reason: "NoState", message: "no state" })
          : moment(() => Either.right({ revision: disk.head, entries: of.select(disk, selector) }))
      ),
    state,
    index: isIndexed ? rightIndex(disk, of) : undefined,
    doorbell: (ring) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const own = () => ring()
          disk.bells.add(own)
          return own
        }),
        (own) => Effect.sync(() => disk.bells.delete(own))
      )
  }
}

/** A wrong log, or the right one, as a subject of the laws. */
export const subjectOf = (
  name: string,
  state: "latest" | "none",
  open: (disk: Disk, state: "latest" | "none") => Log,
  keys: "indexed" | "none" = "none"
): Subject => ({
  name,
  place: Effect.sync(() => {
    const disk = newDisk()
    return { open: Effect.sync(() => open(disk, state)) }
  }),
  capabilities: { state, handles: "together", values: "json", keys },
  tooLarge: Array.from({ length: 101 }, (_, n) => ChangeLog.put(`/${n}`, n)),
  ...(keys === "indexed" ? { retention } : {})
})
