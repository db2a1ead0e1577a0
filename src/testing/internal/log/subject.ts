/** What the laws of change logs are held against, and what they need of it. */
import type { Effect, Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { Change, ChangeLog } from "../../../ChangeLog.js"
import { type Law, leftOutReasonOf } from "../law.js"

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
  /** Whether it keeps the last value of each key, and judges what entries expect of its seq. */
  readonly state: "latest" | "none"
  /** How many handles one place may have at the same time. */
  readonly handles: "one" | "together"
  /** Which values it takes: plain JSON data, with a refusal of everything else, or anything. */
  readonly values: "json" | "any"
  /** Whether it has an index of its keys, and judges what else entries expect. Default `none`. */
  readonly keys?: "indexed" | "none" | undefined
}

/** A log under test. It holds at least the last 1,000 revisions of a few small changes, until it is compacted. */
export interface LogSubject {
  readonly name: string
  /** Makes an empty place of its own for every law. */
  readonly place: Effect.Effect<LogPlace, unknown, Scope.Scope>
  readonly capabilities: LogCapabilities
  /** Changes that together are too large for one revision, where there is a bound. */
  readonly tooLarge?: ReadonlyArray<Change<unknown>> | undefined
  /** How many revisions it keeps when it removes the oldest with each commit. Leave it out where it does not. */
  readonly retention?: number | undefined
}

/** Something that a law needs of its subject. */
export type LogNeed =
  | "state"
  | "no state"
  | "handles together"
  | "json values"
  | "tooLarge"
  | "index"
  | "no index"
  | "retention"

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
  | "keys"
  | "conditions"
  | "seqs"

/** The subjects of this kit: they have no free types. */
export interface LogSubjects extends TypeLambda {
  readonly type: LogSubject
}

/** One law. */
export type LogLaw = Law<LogSubjects, LogNeed, LogGroup>

/** Why a log does not meet a need; `undefined` when it does. */
export const lacks = (
  { capabilities, retention, tooLarge }: LogSubject,
  need: LogNeed
): string | undefined => {
  const { handles, keys = "none", state, values } = capabilities
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
    case "index":
      return keys === "indexed" ? undefined : "the log has no index of its keys"
    case "no index":
      return keys === "none" ? undefined : "the log has an index of its keys"
    case "retention":
      return retention === undefined ? "a commit removes no revision" : undefined
  }
}

/** Why a law is left out for this log; `undefined` when it is not. */
export const logLeftOutReason = leftOutReasonOf<LogSubjects, LogNeed>(lacks)
