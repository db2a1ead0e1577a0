/** The options of the calls of a store, and their rules: what is no option is refused before a call does anything. */
import type { Duration } from "effect"
import type { FollowOptions as WatchOptions } from "../../Watch.js"
import { isAs } from "../catalog/catalogOptions.js"
import type { As } from "../catalog/sessionCalls.js"
import { isCursor, type Revision } from "../log/events.js"
import * as Rules from "../options.js"
import { WriteError } from "./errors.js"
import type { Expect, Row } from "./operation.js"

/** On whose behalf an operation acts. With `n`, which its client counts from 1, it acts once however often it is sent. */
export interface OperationAs extends As {
  readonly n?: number | undefined
}

/** Options of a write; each may be left out. */
export interface WriteOptions {
  /** The record ends so long after this write. Not for deletes. */
  readonly ttl?: Duration.DurationInput | undefined
  /** The record ends with this session. */
  readonly session?: string | undefined
  /** Default: the server itself, which may do everything. */
  readonly as?: OperationAs | undefined
}

/** Options of a write of one record. */
export interface StepOptions extends WriteOptions {
  readonly expect?: Expect | undefined
}

/** Options of a read. */
export interface ReadOptions {
  /** Default: the server itself, which may see everything. */
  readonly as?: As | undefined
  /**
   * `latest`: asks the backend first, so that what any process was answered before is seen. `local`, the default: as of the
   * last revision that was read here. Only of stores that several processes write.
   */
  readonly read?: "local" | "latest" | undefined
}

/** Options of a follow of a store; each has a default. */
export interface FollowOptions<A> extends Pick<WatchOptions<never>, "buffer" | "policy" | "previous"> {
  /**
   * Resumes after this revision, exclusive. If what came after it is gone, or the follower's rights have changed since, it
   * begins with a snapshot; with `authorize` also if another process gave the cursor. Default: with a snapshot.
   */
  readonly after?: Revision | undefined
  /** Which records are delivered. A record that begins or ceases to match comes as a put or a delete. Pure. */
  readonly view?: ((row: Row<A>) => boolean) | undefined
  /** Who follows. Default: the server itself, which sees everything. */
  readonly as?: As | undefined
}

const who = Rules.optional(Rules.that("{ principal, client? }", isAs))

const batchRules = {
  ttl: Rules.optional(Rules.millis("above 0")),
  session: Rules.optional(Rules.text),
  as: Rules.optional(Rules.that("{ principal, client?, n? }", isAs))
}

// It is checked with the step.
const stepRules = { ...batchRules, expect: Rules.anything }

const readRules = { as: who, read: Rules.optional(Rules.oneOf("local", "latest")) }

const followRules = {
  after: Rules.optional(Rules.that("a Revision of the store", isCursor)),
  view: Rules.optional(Rules.func("of a row that answers a boolean")),
  as: who,
  // They are checked by the watch.
  buffer: Rules.anything,
  policy: Rules.anything,
  previous: Rules.anything
}

/** The options of a write, read. */
export interface Written {
  /** Milliseconds. */
  readonly ttl: number | undefined
  readonly session: string | undefined
  readonly as: OperationAs | undefined
  readonly expect: Expect | undefined
}

/** A write without options. */
export const none: Written = { ttl: undefined, session: undefined, as: undefined, expect: undefined }

const refused = ({ message, option }: Rules.InvalidOptions): WriteError =>
  new WriteError({ reason: "InvalidOperation", message: `${option} ${message}` })

/** A time without an end is none. */
const finite = (ttl: number | undefined): number | undefined =>
  ttl === Number.POSITIVE_INFINITY ? undefined : ttl

/** Reads the options of a write of one record. */
export const readStep = (options: StepOptions | undefined): Written | WriteError => {
  if (options === undefined) return none
  const read = Rules.readOptions<StepOptions>()(stepRules, options)
  return read instanceof Rules.InvalidOptions ? refused(read) : { ...read, ttl: finite(read.ttl) }
}

/** Reads the options of a batch. */
export const readBatch = (options: WriteOptions | undefined): Written | WriteError => {
  if (options === undefined) return none
  const read = Rules.readOptions<WriteOptions>()(batchRules, options)
  return read instanceof Rules.InvalidOptions
    ? refused(read)
    : { ...read, ttl: finite(read.ttl), expect: undefined }
}

export const resolveRead = (options: ReadOptions) => Rules.resolve<ReadOptions>()(readRules, options)

export const resolveFollow = <A>(options: FollowOptions<A>) =>
  Rules.resolve<FollowOptions<A>>()(followRules, options)
