/** What an owner does while it owns something: extends its lease, keeps a lock of its session, notices its loss. */
import { type Clock, Deferred, Duration, Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { monotonicMillis } from "../../../internal/time.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Executor, Statement } from "../dialect.js"
import { storageError, whileBusy } from "../errors.js"
import type { Step } from "../transaction.js"
import { lost, type OwnError, ownError, unavailable } from "./errors.js"
import type { SessionLock, SessionLocks } from "./sessionLocks.js"
import type { Claim, OwnerStatements } from "./statements.js"

/** A database with a table of owners. */
export interface OwnersPlace {
  readonly dialect: Dialect
  readonly executor: Executor
  readonly statements: OwnerStatements
  readonly locks: SessionLocks | undefined
  /** What tells the locks of this table from those of others. */
  readonly lockKey: (name: string) => bigint
}

/** The exclusive owner of a name. */
export interface Owner {
  /** Another one for each owner that there ever is. */
  readonly token: string
  /** Greater than that of each owner before. */
  readonly generation: number
  /** Fails when it is known that another process has taken over. */
  readonly lost: Effect.Effect<never, OwnError>
  readonly isLost: () => boolean
  /**
   * Whether no other process can have taken over by the end of the lease, by the monotonic time of this process. It saves
   * work: only {@link fence} is a proof.
   */
  readonly unsafeIsHeld: () => boolean
  /**
   * Proves inside of a transaction that this is the owner, and keeps it the owner until the transaction ends. Fails with
   * `Lost` if another process has taken over.
   */
  readonly fence: (run: Step) => Effect.Effect<void, OwnError | StorageError>
  /** Lets the next one take over at once. Never fails, and takes a second at most. The end of the scope does the same. */
  readonly release: Effect.Effect<void>
}

/** A name that is owned. Only this file writes it, but for the lock that it begins with. */
interface Holding {
  readonly place: OwnersPlace
  readonly claim: Claim
  readonly clock: Clock.Clock
  readonly gone: Deferred.Deferred<never, OwnError>
  phase: "held" | "lost" | "released"
  lock: SessionLock | undefined
  /** When another process may take over, by monotonic time. */
  heldUntil: number
}

/** What was written: the claim, and when it was sent. */
export interface Taken {
  readonly claim: Claim
  readonly generation: number
  readonly lock: SessionLock | undefined
  readonly sentAt: number
}

/** How long the release of a name may take. */
const releaseTimeout = Duration.seconds(1)

/** A lease is extended when a third of it is over. */
const renewalsInLease = 3

/** The owner goes by a lease that is so much shorter, and tries again after so much of it if an extension fails. */
const margin = 0.1

/** Runs one statement outside of all transactions. */
export const runAlone = (
  { dialect, executor }: OwnersPlace,
  statement: Statement
): Effect.Effect<unknown, StorageError> =>
  whileBusy(storageError(dialect, { saved: true })(executor.run(statement)))

/** Gives up a claim, whether it is in the table or not. What fails leaves a lease that runs out. */
export const giveUp = (
  place: OwnersPlace,
  { name, token }: Claim,
  lock: SessionLock | undefined
): Effect.Effect<void> =>
  Effect.suspend(() => {
    lock?.unsafeRelease()
    return Effect.all(
      [runAlone(place, place.statements.release(name, token)), lock?.released ?? Effect.void],
      {
        concurrency: "unbounded",
        discard: true
      }
    )
  }).pipe(
    // A finalizer is not interruptible by itself, and a database that is away does not answer.
    Effect.interruptible,
    Effect.timeoutOption(releaseTimeout),
    Effect.ignoreLogged
  )

/** Until when an owner may count on a lease that it has asked for at this time. */
const endOf = (sentAt: number, lease: number): number => sentAt + lease * (1 - margin)

const lose = (holding: Holding): Effect.Effect<OwnError> =>
  Effect.sync(() => {
    const error = lost(holding.claim.name)
    if (holding.phase === "held") holding.phase = "lost"
    holding.lock?.unsafeRelease()
    holding.lock = undefined
    Deferred.unsafeDone(holding.gone, Effect.fail(error))
    return error
  })

/** Extends the lease. Fails with `Lost` if the token is another. */
const extend = (holding: Holding): Effect.Effect<void, OwnError | StorageError> =>
  Effect.gen(function* () {
    const { claim, clock, place } = holding
    const sentAt = monotonicMillis(clock)
    const isLocked = holding.lock?.isHeld() === true
    const result = yield* runAlone(place, place.statements.renew(claim, isLocked))
    if (place.dialect.rows(result).length === 0) return yield* Effect.flip(lose(holding))
    holding.heldUntil = endOf(sentAt, claim.lease)
  })

/** Takes the lock of the present session where the one before is gone, and gives whether it did. */
const relock = (holding: Holding): Effect.Effect<boolean> =>
  Effect.suspend(() => {
    const { claim, lock: before, place } = holding
    if (before?.isHeld() === true) return Effect.succeed(false)
    before?.unsafeRelease()
    const lock = place.locks?.unsafeTake(place.lockKey(claim.name))
    holding.lock = lock
    if (lock === undefined) return Effect.succeed(false)
    return Effect.tap(lock.taken, (isTaken) => {
      if (!isTaken) holding.lock = undefined
    })
  })

/** Extends the lease first: it is all there is while the session does not answer. */
const renew = (holding: Holding): Effect.Effect<void, OwnError> =>
  extend(holding).pipe(
    Effect.andThen(relock(holding)),
    Effect.flatMap((isNew) => (isNew ? extend(holding) : Effect.void)),
    Effect.mapError((error) => ownError(holding.claim.name, error))
  )

/** Completes when the session that the lock is of is gone, or when there is another one to take it in. */
const sessionChanged = ({ lock, place: { locks } }: Holding): Effect.Effect<void> =>
  (lock?.isHeld() === true ? lock.lost : locks?.changed) ?? Effect.never

/** Extends the lease until the name is lost. */
const keepRenewing = (holding: Holding, pause: number, failures = 0): Effect.Effect<void> => {
  const { lease, name } = holding.claim
  const third = lease / renewalsInLease
  return Effect.raceFirst(
    Effect.sleep(pause),
    Effect.suspend(() => sessionChanged(holding))
  ).pipe(
    Effect.andThen(renew(holding)),
    Effect.timeoutFail({
      duration: pause + third,
      onTimeout: () => unavailable(name, "the database did not answer in time")
    }),
    Effect.matchEffect({
      onSuccess: () => keepRenewing(holding, third),
      onFailure: ({ message, reason }) => {
        if (reason === "Lost") return Effect.logWarning(message)
        const again = keepRenewing(holding, lease * margin, failures + 1)
        return failures === 0 ? Effect.andThen(Effect.logWarning(message), again) : again
      }
    })
  )
}

const fence =
  (holding: Holding): Owner["fence"] =>
  (run) =>
    Effect.suspend(() => {
      const { claim, place } = holding
      return Effect.flatMap(run(place.statements.fence(claim.name, claim.token)), (result) =>
        place.dialect.rows(result).length > 0 ? Effect.void : Effect.flip(lose(holding))
      )
    })

/** Owns what was written into the row, until the scope ends. The lease is extended in the background. */
export const hold = (place: OwnersPlace, taken: Taken): Effect.Effect<Owner, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { claim, generation, lock, sentAt } = taken
    const clock = yield* Effect.clock
    const holding: Holding = {
      place,
      claim,
      clock,
      gone: yield* Deferred.make<never, OwnError>(),
      phase: "held",
      lock,
      heldUntil: endOf(sentAt, claim.lease)
    }
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    yield* Scope.addFinalizer(
      scope,
      Effect.suspend(() => {
        if (holding.phase === "lost") return Effect.void
        holding.phase = "released"
        return giveUp(place, claim, holding.lock)
      })
    )
    // It has ended before the name is given up.
    const renewing = Effect.interruptible(keepRenewing(holding, claim.lease / renewalsInLease))
    yield* Scope.extend(Effect.forkScoped(renewing), scope)
    return {
      token: claim.token,
      generation,
      lost: Deferred.await(holding.gone),
      isLost: () => holding.phase === "lost",
      unsafeIsHeld: () => holding.phase === "held" && monotonicMillis(clock) < holding.heldUntil,
      fence: fence(holding),
      release: Scope.close(scope, Exit.void)
    }
  })
