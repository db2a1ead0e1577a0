/** What the laws of backends of permanent stores are held against, and what they need of it. */
import type { Duration, Effect, Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { Backend } from "../../../internal/catalog/backend.js"
import { type Law, leftOutReasonOf } from "../law.js"

/** Where a backend keeps its stores. Empty when it is made. */
export interface DatastorePlace {
  /**
   * Opens a backend of the place, for as long as its scope lives. It runs again and again, as in several processes: every
   * backend that it gives holds what the others have saved.
   */
  readonly open: Effect.Effect<Backend, unknown, Scope.Scope>
  /** Lets so much time pass for the place. Default: it is waited for. */
  readonly pass?: ((duration: Duration.Duration) => Effect.Effect<unknown, unknown>) | undefined
  /** Makes the place fail from now on: its tables are dropped, or its server is gone. Needed for faults "on demand". */
  readonly fail?: Effect.Effect<unknown, unknown> | undefined
}

/** What a backend's place can do. A law that needs something else is left out. */
export interface DatastoreCapabilities {
  /** Whether its place can be made to fail. */
  readonly faults: "on demand" | "none"
  /** Whether its place lets any time pass at once, more than a day too, by `pass`. Default `real`: it does not. */
  readonly time?: "on demand" | "real" | undefined
}

/** A backend under test. */
export interface DatastoreSubject {
  readonly name: string
  /** Makes an empty place of its own for every law. */
  readonly place: Effect.Effect<DatastorePlace, unknown, Scope.Scope>
  readonly capabilities: DatastoreCapabilities
}

/** Something that a law needs of its subject. */
export type DatastoreNeed = "faults" | "time"

/** What the laws of one group are about. */
export type DatastoreGroup =
  | "opening"
  | "deciding"
  | "saving"
  | "loading"
  | "operations"
  | "tidying"
  | "ownership"
  | "sessions"
  | "handles"
  | "errors"

/** The subjects of this kit: they have no free types. */
export interface DatastoreSubjects extends TypeLambda {
  readonly type: DatastoreSubject
}

/** One law. */
export type DatastoreLaw = Law<DatastoreSubjects, DatastoreNeed, DatastoreGroup>

/** Why a backend does not meet a need; `undefined` when it does. */
export const lacks = ({ capabilities }: DatastoreSubject, need: DatastoreNeed): string | undefined => {
  if (capabilities[need] === "on demand") return undefined
  return need === "faults" ? "the place cannot be made to fail" : "the place cannot let more than a day pass"
}

/** Why a law is left out for this backend; `undefined` when it is not. */
export const datastoreLeftOutReason = leftOutReasonOf<DatastoreSubjects, DatastoreNeed>(lacks)
