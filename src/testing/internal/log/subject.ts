/** What a law of change logs is, what it is held against, what it needs, and the moves that it is made of. */
import { Cause, type Duration, Effect, Exit, Scope } from "effect"
import type {
  Change,
  ChangeLog,
  CommitResult,
  Entry,
  Head,
  LoggedRevision,
  Revision,
  Selector,
  Snapshot
} from "../../../ChangeLog.js"
import { exitOf, succeeds, unless } from "../storage/fixture.js"
import { type CheckOptions, judged, type LawBroken, withDefaults } from "../storage/subject.js"

/** Where a log keeps its revisions. Empty when it is made. */
export interface LogPlace {
  /**
   * Opens a handle on the place, for as long as its scope lives. With `handles: "one"` it runs once a place, else again
   * and again, and every handle sees what the others have committed.
   */
  readonly open: Effect.Effect<ChangeLog<unknown>, unknown, Scope.Scope>
}

/** What a log promises. A law that needs something else is left out. */
export interface LogCapabilities {
  /** Whether it keeps the last value of each key. */
  readonly state: "latest" | "none"
  /** How many handles one place may have at the same time. */
  readonly handles: "one" | "together"
  /** Which values it takes: plain JSON data, with a refusal of everything else, or anything. */
  readonly values: "json" | "any"
}

/** A log under test. It holds at least the last 1,000 revisions of a few small changes, until it is compacted. */
export interface LogSubject {
  readonly name: string
  /** Makes an empty place of its own for every law. */
  readonly place: Effect.Effect<LogPlace, unknown, Scope.Scope>
  readonly capabilities: LogCapabilities
  /** Changes that together are too large for one revision, where there is a bound. */
  readonly tooLarge?: ReadonlyArray<Change<unknown>> | undefined
}

/** Something that a law needs of its subject. */
export type LogNeed = "state" | "no state" | "handles together" | "json values" | "tooLarge"

/** What the laws of one group are about. */
export type LogGroup =
  | "appending"
  | "reading"
  | "ids"
  | "all or none"
  | "compaction"
  | "epochs"
  | "concurrency"
  | "state"
  | "doorbell"
  | "errors"
  | "data"
  | "recorder"

/** One law. */
export interface LogLaw {
  /** For tables and for leaving it out: short, and never changed. */
  readonly name: string
  readonly group: LogGroup
  /** The law in one sentence. */
  readonly statement: string
  /** The law is left out for a log that has not all of these. */
  readonly needs: ReadonlyArray<LogNeed>
  /** Holds the law against a log, in a place of its own. */
  readonly check: (subject: LogSubject, options?: CheckOptions) => Effect.Effect<void, LawBroken>
}

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
}

/** A law under way, and the first handle on a place of its own. */
export interface LogTrial extends LogFixture {
  readonly subject: LogSubject
  readonly limit: Duration.Duration
  readonly seed: number
  readonly samples: number
  /** Another handle on the place. */
  readonly open: Effect.Effect<LogFixture, string, Scope.Scope>
}

/** More than any law appends. */
const everything = 100_000

const fixtureOf = (limits: { readonly limit: Duration.Duration }, log: ChangeLog<unknown>): LogFixture => {
  const ok = <A>(what: string, call: () => Effect.Effect<A, unknown>) =>
    succeeds(limits, what, Effect.suspend(call))
  const head = ok("asking for the head", () => log.head)
  const read = (after: Revision, limit = everything) =>
    ok(`reading after ${after.seq}`, () => log.read({ after, limit }))
  return {
    log,
    append: (...changes) => ok(`appending ${changes.length} changes`, () => log.append(changes)),
    commit: (...entries) => ok(`committing ${entries.length} entries`, () => log.commit(entries)),
    read,
    all: Effect.flatMap(head, ({ floor }) => read(floor)),
    head,
    compact: (upTo) => ok(`compacting up to ${upTo}`, () => log.compact(upTo)),
    renew: ok("renewing the epoch", () => log.renewEpoch),
    snapshot: (selector) => ok("taking a snapshot", () => log.snapshot(selector))
  }
}

const makeTrial = (
  subject: LogSubject,
  options: ReturnType<typeof withDefaults>
): Effect.Effect<LogTrial, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.gen(function* () {
      const place = yield* succeeds(options, "making a place", Scope.extend(subject.place, scope))
      const open = Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(succeeds(options, "opening the log", Scope.extend(place.open, scope)), (log) =>
          fixtureOf(options, log)
        )
      )
      return { subject, ...options, open, ...(yield* open) }
    })
  )

/** What a law does: it fails with what was seen. */
export type LogBody = (trial: LogTrial) => Effect.Effect<void, string, Scope.Scope>

/** Makes a law of its data and its body; `advice` says what to do when it is broken. */
export const logLaw = (
  data: Omit<LogLaw, "check" | "needs"> & { readonly needs?: LogLaw["needs"]; readonly advice: string },
  body: LogBody
): LogLaw => {
  const { advice, group, name, needs = [], statement } = data
  return {
    name,
    group,
    statement,
    needs,
    check: (subject, options) =>
      judged(name, advice, Effect.flatMap(makeTrial(subject, withDefaults(options)), body))
  }
}

const lacks = ({ capabilities, tooLarge }: LogSubject, need: LogNeed): string | undefined => {
  const { handles, state, values } = capabilities
  switch (need) {
    case "state":
      return state === "latest" ? undefined : "the log keeps no state"
    case "no state":
      return state === "none" ? undefined : "the log keeps the state"
    case "handles together":
      return handles === "together" ? undefined : "a place has one handle only"
    case "json values":
      return values === "json" ? undefined : "the log takes any value"
    case "tooLarge":
      return tooLarge === undefined ? "no revision is too large" : undefined
  }
}

/** Why a law is left out for this log; `undefined` when it is not. */
export const logLeftOutReason = ({ needs }: LogLaw, subject: LogSubject): string | undefined => {
  for (const need of needs) {
    const reason = lacks(subject, need)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** An error's tag, and its reason when it has one. */
export const kindOf = (error: unknown): string => {
  const { _tag, reason } = (error ?? {}) as { readonly _tag?: unknown; readonly reason?: unknown }
  return reason === undefined ? String(_tag) : `${String(_tag)} ${String(reason)}`
}

/** A call that has to fail, and with an error of this kind. Gives the error. */
export const refuses = (
  trial: LogTrial,
  what: string,
  kind: string,
  call: () => Effect.Effect<unknown, unknown>
): Effect.Effect<{ readonly [property: string]: unknown }, string> =>
  Effect.flatMap(exitOf(trial, what, Effect.suspend(call)), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.fail(`${what} succeeded, and must fail with ${kind}`)
    const failure = Cause.failureOption(exit.cause)
    const error: unknown = failure._tag === "Some" ? failure.value : Cause.squash(exit.cause)
    const seen = failure._tag === "Some" ? kindOf(error) : `a defect: ${String(error)}`
    return seen === kind
      ? Effect.succeed(error as { readonly [property: string]: unknown })
      : Effect.fail(`${what} failed with ${seen}, and must fail with ${kind}`)
  })

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
      : `${when}, revision ${logged[wrong]?.revision.seq} stands where ${first + wrong} belongs`
  )
}
