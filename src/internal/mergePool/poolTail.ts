/** Reads what all processes write to a pool: its state is what is committed, as of the last revision that was read here. */
import { Effect, type Scope, Stream } from "effect"
import { prefix, type Revision } from "../../ChangeLog.js"
import { StorageError } from "../../Storage.js"
import type { Frame } from "../../Watch.js"
import { forgetPassed } from "./horizon.js"
import { changed, end, type Pool } from "./pool.js"
import { horizonKey, type PoolCell } from "./poolCells.js"
import { otherStrategies } from "./sharedCells.js"
import { noteHorizon } from "./state.js"
import {
  type Draft,
  finishDraft,
  keysOfChanges,
  makeDraft,
  putCell,
  type Read,
  takeAllAway,
  takeAway
} from "./storedCells.js"

/** What was read of cells, beside what followers get. */
export type Reads = WeakMap<PoolCell, Read>

/** Takes a cell. Returns why it cannot be. */
const take = ({ state }: Pool, reads: Reads, draft: Draft, cell: PoolCell): string | undefined => {
  const read = reads.get(cell)
  if (read === undefined) return "a cell of the log was not read"
  if ("reason" in read) return read.message
  if ("row" in read) {
    putCell(draft, read)
    return undefined
  }
  noteHorizon(state, read.horizon)
  const { fingerprint } = state.definition
  return (read.fingerprint ?? fingerprint) === fingerprint ? undefined : otherStrategies
}

/** Takes what a frame has into a draft. Returns why it cannot be. */
const takeFrame = (pool: Pool, reads: Reads, draft: Draft, frame: Frame<PoolCell>): string | undefined => {
  let problem: string | undefined
  switch (frame._tag) {
    case "Events":
      for (const event of frame.events) {
        if (event._tag === "Put") problem ??= take(pool, reads, draft, event.value)
        else if (event.key !== horizonKey) takeAway(draft, event.key)
      }
      return problem
    case "Snapshot":
      takeAllAway(draft)
      for (const { value } of frame.entries) problem ??= take(pool, reads, draft, value)
      return problem
    default:
      return undefined
  }
}

const unreadable = (message: string): StorageError =>
  new StorageError({ kind: "Fatal", outcome: "NotStored", message })

/** What is written anew is looked at anew. */
const notePassed = ({ parts }: Pool, frame: Frame<PoolCell>): void => {
  if (frame._tag === "Snapshot") parts?.passed.clear()
  if (frame._tag === "Events") for (const { key } of frame.events) parts?.passed.delete(key)
}

const advance = (pool: Pool, reads: Reads, frame: Frame<PoolCell>): void => {
  if (frame._tag !== "Events" && frame._tag !== "Snapshot") return
  const { horizon } = pool.state
  const draft = makeDraft(pool.state)
  const problem = takeFrame(pool, reads, draft, frame)
  if (problem !== undefined) {
    end(pool, "Failed", unreadable(problem))
    return
  }
  const changes = finishDraft(draft)
  notePassed(pool, frame)
  // Another horizon may be above any removal that is held.
  const isRaised = pool.state.horizon !== horizon
  const passed = forgetPassed(pool.state, isRaised ? undefined : draft.rows.keys())
  for (const key of keysOfChanges(pool.state, passed)) pool.parts?.passed.add(key)
  changed(pool, [...changes, ...passed])
  pool.parts?.reached.advance(frame.revision.seq)
}

/** Reads on behind a revision, as long as the scope lives. A failure ends the pool. */
export const start = (pool: Pool, reads: Reads, after: Revision): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    // A pool that has just been made has not ended.
    const watch = yield* Effect.orDie(pool.following.watch)
    const following = Effect.scoped(
      Effect.flatMap(watch.open(prefix(""), { after, autoResnapshot: "on" }), ({ frames }) =>
        Stream.runForEach(frames, (frame) => Effect.sync(() => advance(pool, reads, frame)))
      )
    )
    yield* following.pipe(
      Effect.catchAllCause((cause) => Effect.sync(() => end(pool, "Failed", cause))),
      Effect.interruptible,
      Effect.forkScoped
    )
  })
