/**
 * The exclusive owner of a name, among all processes of a database. It owns by a lease on the clock of the database, and,
 * where a doorbell has a session, by a lock of that session too: the database frees it when the process is gone, and then
 * another one takes over at once.
 *
 * Both save work alone. An owner that was stopped for longer than its lease goes on where it was, and does not know. So
 * each transaction that writes as the owner runs the owner's fence.
 */
import { Cause, Duration, Effect, identity, Option, Schedule, type Scope } from "effect"
import { fnv1a } from "../../../internal/hash.js"
import { makeRandom, randomName } from "../../../internal/random.js"
import { monotonicMillis } from "../../../internal/time.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Executor } from "../dialect.js"
import { ensureTable } from "../ensureTable.js"
import { storageError, whileBusy } from "../errors.js"
import { step, transaction } from "../transaction.js"
import { OwnError, ownError, owned, unavailable } from "./errors.js"
import { giveUp, hold, type Owner, type OwnersPlace, runAlone, type Taken } from "./holding.js"
import type { SessionLock, SessionLocks } from "./sessionLocks.js"
import { type Claim, type OwnerRow, ownerStatements } from "./statements.js"
import type { OwnersTable } from "./table.js"

/** How a name is owned. */
export interface OwnOptions {
  /**
   * How long another process waits for an owner that does not extend it, by the database's clock. It is extended when a
   * third of it is over. Default 10 seconds.
   */
  readonly lease?: Duration.DurationInput | undefined
  /** How long the name is waited for while another process owns it, or the database is away. Default 0. */
  readonly wait?: Duration.DurationInput | undefined
  /** Who the owner is, for the message of those that are refused. */
  readonly who: string
}

/** The owners in one table. */
export interface Owners {
  /**
   * Owns a name until the scope ends. While another process owns it, asks again every 200 milliseconds for as long as
   * `wait`. Fails with `Owned`, or with `Unavailable` if the database does not answer.
   */
  readonly acquire: (name: string, options: OwnOptions) => Effect.Effect<Owner, OwnError, Scope.Scope>
}

const defaultLease = Duration.seconds(10)

/** How often a name is asked for while it is waited for. */
const retryInterval = Duration.millis(200)

const isFree = ({ over, token }: OwnerRow): boolean => token === undefined || over

/** The row of a name, which is made if it is not there. */
const look = (place: OwnersPlace, name: string): Effect.Effect<OwnerRow, OwnError | StorageError> => {
  const { statements } = place
  const read = Effect.map(runAlone(place, statements.look(name)), statements.row)
  return Effect.flatMap(read, (row) =>
    row === undefined
      ? Effect.andThen(
          runAlone(place, statements.create(name)),
          Effect.flatMap(read, (made) =>
            made === undefined ? unavailable(name, "its row was deleted at once") : Effect.succeed(made)
          )
        )
      : Effect.succeed(row)
  )
}

/**
 * Writes the claim into the row, in a transaction in which the row is locked and judged again. No save is under way
 * then: one that is has locked the row for itself.
 */
const write = (
  place: OwnersPlace,
  claim: Claim,
  before: OwnerRow,
  lock: SessionLock | undefined
): Effect.Effect<Taken, OwnError | StorageError> => {
  const { dialect, executor, statements } = place
  const { name } = claim
  return whileBusy(
    transaction(dialect, executor.reserve, identity, (run) =>
      Effect.gen(function* () {
        const one = step(dialect, run)
        yield* one(dialect.begin)
        const row = statements.row(yield* one(statements.lock(name)))
        const isLocked = lock?.isHeld() === true
        if (row === undefined || !(isFree(row) || (row.locked && isLocked)))
          return yield* owned(name, row ?? before)
        const sentAt = monotonicMillis(yield* Effect.clock)
        const generation = row.generation + 1
        yield* one(statements.take(claim, generation, isLocked))
        return { claim, generation, lock, sentAt }
      })
    )
  )
}

/** Whether nothing was written. */
const isOwned = (cause: Cause.Cause<OwnError | StorageError>): boolean =>
  Option.exists(Cause.failureOption(cause), (error) => error instanceof OwnError)

/** Takes over once, or fails with `Owned`. */
const tryOnce = (
  place: OwnersPlace,
  claim: Claim
): Effect.Effect<Owner, OwnError | StorageError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { lockKey, locks } = place
      const { name } = claim
      const before = yield* restore(look(place, name))
      if (!isFree(before) && !before.locked) return yield* owned(name, before)
      const lock = locks?.unsafeTake(lockKey(name))
      const taking = Effect.gen(function* () {
        const isTaken = lock !== undefined && (yield* lock.taken)
        if (!isFree(before) && !isTaken) return yield* owned(name, before)
        return yield* write(place, claim, before, lock)
      })
      const taken = yield* Effect.onError(restore(taking), (cause) =>
        isOwned(cause) ? Effect.sync(() => lock?.unsafeRelease()) : giveUp(place, claim, lock)
      )
      return yield* hold(place, taken)
    })
  )

/** Whether a name that could not be owned may be free a moment later. */
const mayPass = (error: OwnError | StorageError): boolean =>
  error instanceof OwnError ? error.reason === "Owned" : error.kind === "Transient"

const acquireIn =
  (place: OwnersPlace, random: Int32Array): Owners["acquire"] =>
  (name, { lease = defaultLease, wait = Duration.zero, who }) =>
    Effect.gen(function* () {
      const clock = yield* Effect.clock
      const end = monotonicMillis(clock) + Duration.toMillis(wait)
      const attempt = Effect.suspend(() =>
        tryOnce(place, {
          name,
          token: randomName(random),
          holder: who,
          lease: Math.ceil(Duration.toMillis(lease))
        })
      )
      return yield* Effect.retry(attempt, {
        schedule: Schedule.spaced(retryInterval),
        while: (error) => mayPass(error) && monotonicMillis(clock) < end
      })
    }).pipe(Effect.mapError((error) => ownError(name, error)))

/** Where owners are. */
export interface OwnersOptions {
  readonly dialect: Dialect
  readonly executor: Executor
  readonly table: OwnersTable
  /** Locks of a session of the same database: see `sessionLocksOf`. Without them there are leases alone. */
  readonly locks?: SessionLocks | undefined
}

/** Makes sure of the table. */
export const openOwners = ({
  dialect,
  executor,
  locks,
  table
}: OwnersOptions): Effect.Effect<Owners, StorageError> =>
  Effect.gen(function* () {
    const statements = ownerStatements(dialect, table)
    yield* ensureTable(dialect, table, executor)
    const [found] = dialect.rows(
      yield* whileBusy(storageError(dialect, { saved: false })(executor.run(statements.place)))
    )
    // Two tables or names that share a lock wait for each other's leases, no more.
    const lockKey = (name: string) =>
      BigInt.asIntN(64, fnv1a(JSON.stringify(["effect-recorder/owner", found?.place, name])))
    return {
      acquire: acquireIn({ dialect, executor, statements, locks, lockKey }, yield* makeRandom)
    }
  })
