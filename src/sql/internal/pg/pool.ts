/**
 * The Postgres connections that a storage owns.
 *
 * A pool of `pg` drops only the connections that report an error. Here every connection is destroyed that may be dead or
 * may still be busy: after an interrupted statement (it would queue the next one behind it, for ever over a half-open
 * link), after FATAL (the server closes it a moment later), after anything that is no answer of the server.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import { SqlError } from "@effect/sql/SqlError"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Either, Fiber, type Scope } from "effect"
import * as Pg from "pg"
import type { InvalidOptions, Resolved } from "../../../internal/options.js"
import { StorageError } from "../../../Storage.js"
import type { Executor, Statement } from "../dialect.js"
import { SqlFailure } from "../errors.js"
import { cancelTarget, requestCancel } from "./cancel.js"
import { connectionConfig, type PgConnectOptions, type poolRules } from "./connectOptions.js"
import { unsentMessage } from "./errorDetails.js"
import { classifyPg, keepsConnection, losesNamedStatement } from "./errors.js"
import type { PgStatement } from "./insert.js"
import { inReadCommitted } from "./isolation.js"

/** An open pool. */
export interface PgPool {
  readonly executor: Executor
  /**
   * Over the same pool, to compile fragments with. Run statements by the executor: this client gives the connection of
   * an interrupted statement back to the pool, and its late cancel request may hit the next one's.
   */
  readonly client: PgClient.PgClient
}

/**
 * How long an interruption waits for the cancel request to arrive. The request itself has {@link cancelRequestTimeout}.
 * Over a dead link it is in vain, and a save that is retried after its timeout must not wait long for that.
 */
const cancelTimeout = Duration.millis(250)

const cancelRequestTimeout = Duration.seconds(5)

/** How long the pool's end waits for connections that are in use, before it destroys them. */
const endTimeout = Duration.seconds(1)

const idleTimeout = Duration.seconds(30)

const unsent = (cause: unknown) => new SqlError({ cause, message: unsentMessage })

const failed = (cause: unknown) => new SqlError({ cause, message: "Failed to execute statement" })

/** A connection out of the pool. `giveBack` may be called again, to no effect. */
interface Lease {
  readonly client: Pg.PoolClient
  /** With a cause the connection is destroyed. */
  readonly giveBack: (cause?: Error) => void
  readonly isGone: () => boolean
}

/** What is known of a pool's connections. */
interface Connections {
  readonly pool: Pg.Pool
  /** Of the pool: a cancel request that outlasts its statement ends with it. */
  readonly scope: Scope.Scope
  readonly leases: Set<Lease>
  /** A pooler may give each statement another backend, which has no statement of that name: then names are given up. */
  usesNames: boolean
}

type Use<A> = (result: Either.Either<A, SqlError>) => void

const leaseOf = ({ leases }: Connections, client: Pg.PoolClient): Lease => {
  let gone = false
  // Its statement's callback gets the error as well; without a listener it would end the process.
  const onError = () => {}
  client.on("error", onError)
  const lease: Lease = {
    client,
    isGone: () => gone,
    giveBack: (cause) => {
      if (gone) return
      gone = true
      leases.delete(lease)
      client.off("error", onError)
      // The pool listens from here on, and may hand the connection on before this returns.
      client.release(cause)
    }
  }
  leases.add(lease)
  return lease
}

const connect = (connections: Connections, use: Use<Lease>): void => {
  connections.pool.connect((cause, client) =>
    use(client === undefined ? Either.left(unsent(cause)) : Either.right(leaseOf(connections, client)))
  )
}

const submit = (
  connections: Connections,
  lease: Lease,
  { name, params, text }: PgStatement,
  done: Use<Pg.QueryResult>
): void => {
  const named = connections.usesNames && name !== undefined
  const values = [...params]
  void lease.client.query(named ? { name, text, values } : { text, values }, (cause, result) => {
    // Declared as always there.
    if (!(cause as Error | null)) return done(Either.right(result))
    if (named && losesNamedStatement(cause)) {
      connections.usesNames = false
      return submit(connections, lease, { params, text }, done)
    }
    if (!keepsConnection(cause)) lease.giveBack(cause)
    done(Either.left(failed(cause)))
  })
}

/** Stops what a connection does and destroys it. */
const cancelAndDestroy = ({ scope }: Connections, lease: Lease): Effect.Effect<void> => {
  const target = cancelTarget(lease.client)
  const cancelled =
    target === undefined
      ? Effect.void
      : requestCancel(target).pipe(
          Effect.interruptible,
          Effect.timeoutOption(cancelRequestTimeout),
          Effect.forkIn(scope),
          Effect.flatMap((fiber) =>
            Fiber.await(fiber).pipe(Effect.interruptible, Effect.timeoutOption(cancelTimeout))
          )
        )
  // A pooler forwards the request only while the connection that it names is there.
  return Effect.ensuring(
    cancelled,
    Effect.sync(() => lease.giveBack(new Error("The statement was interrupted")))
  )
}

// One async from the connection to the answer: between two of them an interruption would lose the connection. An
// interruption may also come after the answer, when the connection may serve another statement already.
const run = (connections: Connections, statement: Statement): Effect.Effect<Pg.QueryResult, SqlError> =>
  Effect.async((resume) => {
    let over = false
    let held: Lease | undefined
    const end: Use<Pg.QueryResult> = (result) => {
      if (over) return
      over = true
      held?.giveBack()
      resume(result)
    }
    connect(
      connections,
      Either.match({
        onLeft: (error) => end(Either.left(error)),
        onRight: (lease) => {
          if (over) return lease.giveBack()
          held = lease
          submit(connections, lease, statement, end)
        }
      })
    )
    return Effect.suspend(() => {
      if (over) return Effect.void
      over = true
      return held === undefined ? Effect.void : cancelAndDestroy(connections, held)
    })
  })

const runOn =
  (connections: Connections, lease: Lease) =>
  (statement: Statement): Effect.Effect<Pg.QueryResult, SqlError> =>
    Effect.async((resume) => {
      if (lease.isGone()) return resume(Effect.fail(unsent(new Error("The connection is closed"))))
      let over = false
      submit(connections, lease, statement, (result) => {
        over = true
        resume(result)
      })
      return Effect.suspend(() => (over ? Effect.void : cancelAndDestroy(connections, lease)))
    })

const reserve = (connections: Connections): Effect.Effect<Lease, SqlError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.async<Lease, SqlError>((resume) => connect(connections, resume)),
    // A transaction may be open when it did not go well.
    (lease, exit) =>
      Effect.sync(() =>
        lease.giveBack(exit._tag === "Success" ? undefined : new Error("The connection's use failed"))
      )
  )

const makeExecutor = (pool: Pg.Pool, scope: Scope.Scope, leases: Set<Lease>): Executor => {
  const connections: Connections = { pool, scope, leases, usesNames: true }
  return {
    run: (statement) => run(connections, statement),
    reserve: Effect.map(reserve(connections), (lease) => runOn(connections, lease))
  }
}

/**
 * Opens a pool and one connection, to see that the options are right; closes it with the scope, within a bounded time.
 *
 * Statements of the executor are refused within `connectTimeout` while the server cannot be reached. When one is
 * interrupted its connection is destroyed and the server is asked to cancel it, so that it neither waits for a lock
 * nor commits long after.
 */
export const openPool = (
  options: Resolved<PgConnectOptions, typeof poolRules>
): Effect.Effect<PgPool, StorageError | InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const config: Pg.PoolConfig = {
      ...(yield* connectionConfig(options)),
      max: options.maxConnections,
      idleTimeoutMillis: Duration.toMillis(idleTimeout),
      // A process that has nothing else to do may end; statements hold it.
      allowExitOnIdle: true
    }
    const scope = yield* Effect.scope
    const leases = new Set<Lease>()
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => new Pg.Pool(config)),
      (pool) =>
        Effect.promise(() => pool.end()).pipe(
          Effect.interruptible,
          Effect.timeoutOption(endTimeout),
          Effect.zipRight(
            Effect.sync(() => {
              for (const { giveBack } of [...leases]) giveBack(new Error("The pool is closed"))
            })
          )
        )
    )
    // An idle connection has died. The pool has dropped it already, and no statement was under way.
    pool.on("error", () => {})
    const executor = inReadCommitted(makeExecutor(pool, scope, leases))
    yield* executor.run({ text: "SELECT 1", params: [] }).pipe(Effect.mapError(openError))
    const client = yield* PgClient.fromPool({ acquire: Effect.succeed(pool) }).pipe(
      Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
      Effect.mapError(openError)
    )
    return { executor, client }
  })

const openError = (error: unknown): StorageError => {
  const { code, constraint, kind, message } = classifyPg(error, false)
  const described = `no connection to the database: ${message}`
  return new StorageError({
    kind,
    outcome: "NotStored",
    message: described,
    cause: new SqlFailure({ code, constraint, message })
  })
}
