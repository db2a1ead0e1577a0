/** Reads the events of a key in pages, all of one instant, and folds them. */
import { type Clock, Effect } from "effect"
import type { ChangeLogError, Compacted, EpochChanged, Revision } from "../log/events.js"
import type { HistoryOptions, KeyHistory, KeyPosition } from "../log/keyIndex.js"
import { monotonicMillis } from "../time.js"
import type { Compiled } from "./compiled.js"
import { ProjectionError } from "./errors.js"
import type { AnyEvent, EventValue } from "./events.js"
import { add, type Fold } from "./fold.js"
import { now, type Phases, type Runtime } from "./runtime.js"

/** So many events are read at once. */
const pageSize = 500

/** So many are read before a tier is asked: a short history is folded from them, and a long one costs little more. */
const planSize = 50

export type ReadError = ChangeLogError | Compacted | EpochChanged

type Page = KeyHistory<EventValue>

/** Runs an effect, and adds its time to a phase. */
export const timed = <A, E, R>(
  { clock }: { readonly clock: Clock.Clock },
  phases: Phases,
  phase: keyof Phases,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const begun = monotonicMillis(clock)
    return Effect.tap(effect, () =>
      Effect.sync(() => {
        phases[phase] += monotonicMillis(clock) - begun
      })
    )
  })

type Index = Pick<Compiled<never, never>, "index" | "kinds">

/** Reads the first page after a position, as of the head. */
export const firstPage = (
  { index, kinds }: Index,
  key: string,
  after: KeyPosition
): Effect.Effect<Page, ReadError> => index.history(key, optionsOf(kinds, after, undefined, pageSize))

/** Reads the first events of a key, as of the head: fewer if a tier may have their state. */
export const plan = (
  { index, kinds }: Index,
  key: string,
  asksTier: boolean
): Effect.Effect<Page, ReadError> =>
  index.history(key, optionsOf(kinds, undefined, undefined, asksTier ? planSize : pageSize))

const optionsOf = (
  kinds: ReadonlyArray<string> | undefined,
  after: KeyPosition | undefined,
  upTo: Revision | undefined,
  limit: number
): HistoryOptions => ({ kinds, after, upTo, limit })

const positionOf = ({ events }: Page): KeyPosition | undefined => {
  const last = events.at(-1)
  return last === undefined ? undefined : { generation: last.generation, revision: last.event.revision }
}

/**
 * Folds a page, and all further ones up to its head. Between pages other fibers run. The log is read at most up to the
 * head of the first page, so the fold is of one instant.
 */
export const foldPages = <S, E extends AnyEvent>(
  runtime: Runtime<S, E>,
  phases: Phases,
  fold: Fold<S>,
  first: Page
): Effect.Effect<void, ReadError> => {
  const { folder, index, kinds } = runtime.compiled
  const foldPage = (page: Page): void => {
    const begun = now(runtime)
    add(folder, fold, page.events)
    phases.fold += now(runtime) - begun
  }
  const next = (page: Page): Effect.Effect<void, ReadError> => {
    const after = positionOf(page)
    if (!page.more || after === undefined) return Effect.void
    const read = timed(
      runtime,
      phases,
      "read",
      index.history(fold.key, optionsOf(kinds, after, first.head, pageSize))
    )
    return Effect.flatMap(Effect.andThen(Effect.yieldNow(), read), (further) => {
      foldPage(further)
      return next(further)
    })
  }
  return Effect.suspend(() => {
    foldPage(first)
    return next(first)
  })
}

/** The error of a projection whose log could not be read. */
export const readFailed =
  (projection: string, key: string) =>
  (error: ReadError): ProjectionError => {
    const failed = (reason: ProjectionError["reason"], message: string) =>
      new ProjectionError({ reason, projection, key, message, cause: error })
    switch (error._tag) {
      case "Compacted":
        return failed(
          "Compacted",
          `events of the key are removed up to revision ${error.floor}, and no cached state stands for them: keep what projections need from compaction`
        )
      case "EpochChanged":
        return failed(
          "EpochChanged",
          "the log was renewed or restored again and again during the reading: try again"
        )
      default:
        return failed("Log", `the log cannot be read: ${error.message}`)
    }
  }
