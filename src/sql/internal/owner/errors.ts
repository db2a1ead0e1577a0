/** Why something is not owned. */
import { Data } from "effect"
import { StorageError } from "../../../Storage.js"
import type { OwnerRow } from "./statements.js"

/**
 * Why this process does not own something: another one does (`Owned`), has taken it over (`Lost`), or the database did
 * not answer (`Unavailable`).
 */
export class OwnError extends Data.TaggedError("OwnError")<{
  readonly reason: "Owned" | "Lost" | "Unavailable"
  readonly message: string
  /** Of `Owned`: which process the owner is, in its own words. */
  readonly who?: string
  /** Of `Owned`: the end of the owner's lease unless it is extended, by the database's clock. */
  readonly until?: Date
  readonly cause?: unknown
}> {}

export const owned = (name: string, { holder: who, until }: OwnerRow): OwnError =>
  new OwnError({
    reason: "Owned",
    message:
      `${JSON.stringify(name)} is owned by ${who} until ${until.toISOString()} at least:` +
      " close it there, or wait until it is free",
    who,
    until
  })

export const lost = (name: string): OwnError =>
  new OwnError({
    reason: "Lost",
    message: `${JSON.stringify(name)} was taken over by another process: write nothing more, or own it again`
  })

export const unavailable = (name: string, why: string, cause?: StorageError): OwnError =>
  new OwnError({
    reason: "Unavailable",
    message: `${JSON.stringify(name)} cannot be owned: ${why}: see whether the database is up`,
    cause
  })

/** Converts a failure of the database, and leaves all others. */
export const ownError = (name: string, error: OwnError | StorageError): OwnError =>
  error instanceof StorageError ? unavailable(name, error.message, error) : error
