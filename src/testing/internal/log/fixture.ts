/** The moves that the laws of change logs are made of. */
import { Effect, Scope } from "effect"
import type {
  Change,
  ChangeLog,
  CommitResult,
  Entry,
  Head,
  HistoryOptions,
  KeyHistory,
  KeyIndex,
  LoggedRevision,
  Revision,
  Scan,
  ScanOptions,
  Selector,
  Snapshot
} from "../../../ChangeLog.js"
import { type Limited, succeeds, unless } from "../calls.js"
import { lawMaker, type Trial } from "../law.js"
import type { LogGroup, LogLaw, LogNeed, LogSubject, LogSubjects } from "./subject.js"

/** A handle whose calls have to succeed, each within the limit. */
export interface LogFixture {
  readonly log: ChangeLog<unknown>
  readonly append: (...changes: ReadonlyArray<Change<unknown>>) => Effect.Effect<Revision, string>
  readonly commit: (...entries: ReadonlyArray<Entry<unknown>>) => Effect.Effect<CommitResult, string>
  readonly read: (
    after: Revision,
    limit?: number
  ) => Effect.Effect<ReadonlyArray<LoggedRevision<unknown>>, string>
  /** Everything that is held. */
  readonly all: Effect.Effect<ReadonlyArray<LoggedRevision<unknown>>, string>
  readonly head: Effect.Effect<Head, string>
  readonly compact: (upTo: number) => Effect.Effect<void, string>
  readonly renew: Effect.Effect<string, string>
  readonly snapshot: (selector: Selector) => Effect.Effect<Snapshot<unknown>, string>
  /** The index of a log that has one. */
  readonly index: Effect.Effect<KeyIndex<unknown>, string>
  /** Events of a key. */
  readonly history: (
    key: string,
    options?: Partial<HistoryOptions>
  ) => Effect.Effect<KeyHistory<unknown>, string>
  readonly scan: (after: Revision, options?: Partial<ScanOptions>) => Effect.Effect<Scan<unknown>, string>
}

/** A law under way, and the first handle on a place of its own. */
export interface LogTrial extends Trial<LogSubject>, LogFixture {
  /** Another handle on the place. */
  readonly open: Effect.Effect<LogFixture, string, Scope.Scope>
}

/** More than any law appends. */
const everything = 100_000

const fixtureOf = (limits: Limited, log: ChangeLog<unknown>): LogFixture => {
  const ok = <A>(what: string, call: () => Effect.Effect<A, unknown>) =>
    succeeds(limits, what, Effect.suspend(call))
  const head = ok("asking for the head", () => log.head)
  const read = (after: Revision, limit = everything) =>
    ok(`reading after ${after.seq}`, () => log.read({ after, limit }))
  const index = Effect.suspend(() =>
    log.index === undefined ? Effect.fail("the log has no index of its keys") : Effect.succeed(log.index)
  )
  return {
    log,
    append: (...changes) => ok(`appending ${changes.length} changes`, () => log.append(changes)),
    commit: (...entries) => ok(`committing ${entries.length} entries`, () => log.commit(entries)),
    read,
    all: Effect.flatMap(head, ({ floor }) => read(floor)),
    head,
    compact: (upTo) => ok(`compacting up to ${upTo}`, () => log.compact(upTo)),
    renew: ok("renewing the epoch", () => log.renewEpoch),
    snapshot: (selector) => ok("taking a snapshot", () => log.snapshot(selector)),
    index,
    history: (key, options) =>
      Effect.flatMap(index, ({ history }) =>
        ok(`reading the history of ${key}`, () => history(key, { limit: everything, ...options }))
      ),
    scan: (after, options) =>
      Effect.flatMap(index, ({ scan }) =>
        ok(`scanning after ${after.seq}`, () => scan({ after, limit: everything, ...options }))
      )
  }
}

const startTrial = (trial: Trial<LogSubject>): Effect.Effect<LogTrial, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.gen(function* () {
      const place = yield* succeeds(trial, "making a place", Scope.extend(trial.subject.place, scope))
      const open = Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(succeeds(trial, "opening the log", Scope.extend(place.open, scope)), (log) =>
          fixtureOf(trial, log)
        )
      )
      return { ...trial, open, ...(yield* open) }
    })
  )

const law = lawMaker<LogSubjects, LogNeed, LogGroup>()

/** Makes a law of its data and its body, which begins with a handle on a place of its own. */
export const logLaw = (
  data: Parameters<typeof law>[0],
  body: (trial: LogTrial) => Effect.Effect<void, string, Scope.Scope>
): LogLaw => law(data, (trial) => Effect.flatMap(startTrial(trial), body))

/** A revision in words. */
export const brief = ({ events, revision }: LoggedRevision<unknown>): string =>
  `${revision.seq}(${events.map((event) => (event._tag === "Put" ? event.key : `-${event.key}`)).join(" ")})`

/** Revisions in words. */
export const briefly = (logged: ReadonlyArray<LoggedRevision<unknown>>): string =>
  logged.length === 0
    ? "nothing"
    : logged.length > 8
      ? `${logged.slice(0, 8).map(brief).join(", ")}, …`
      : logged.map(brief).join(", ")

/** Whether two revisions are the same. */
export const sameRevision = (a: Revision, b: Revision): boolean =>
  a.epoch === b.epoch && a.seq === b.seq && a.tag === b.tag

/** Fails unless these are the revisions from `first` on, each one behind the other. */
export const gapFree = (
  logged: ReadonlyArray<LoggedRevision<unknown>>,
  first: number,
  when: string
): Effect.Effect<void, string> => {
  const wrong = logged.findIndex(({ revision }, n) => revision.seq !== first + n)
  return unless(
    wrong === -1
      ? undefined
      : `${when}, position ${wrong} has revision ${logged[wrong]?.revision.seq} instead of ${first + wrong}`
  )
}
