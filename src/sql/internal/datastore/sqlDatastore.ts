/** The driver of permanent stores and pools in a database. */
import { type Duration, Effect, type Scope } from "effect"
import type { Backend, StoredValue } from "../../../internal/catalog/backend.js"
import { type InvalidOptions, optional, or, type Rules, resolve, valid } from "../../../internal/options.js"
import { makeRandom, randomName } from "../../../internal/random.js"
import { validateText } from "../../../internal/text.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Executor } from "../dialect.js"
import { warnOfLosses } from "../durability.js"
import { ensureTable } from "../ensureTable.js"
import { LocalDoorbell } from "../log/localDoorbell.js"
import { behaviorRules, type LogBehavior, limitsOf, ringEverywhere, serveLog } from "../log/sqlChangeLog.js"
import type { Limits, LogStatements } from "../log/statements.js"
import type { Feed } from "../log/tables.js"
import { sqlName, tableName, timer } from "../options.js"
import { openOwners } from "../owner/owners.js"
import { sessionLocksOf } from "../owner/sessionLocks.js"
import { makeOwnersTable } from "../owner/table.js"
import { CurrentSizeLimits } from "../statementSize.js"
import { load, openStored, runAlone, setVersion, tidy } from "./opening.js"
import { makeOwnerships, noFence, type Ownerships } from "./ownership.js"
import { type SavePlace, saveBatch } from "./saving.js"
import { sqlSessions } from "./sessions.js"
import { storeStatements } from "./statements.js"
import { allTables, longestSuffix, makeDatastoreTables } from "./tables.js"

/** Where stores are kept, and how their logs behave. */
export interface SqlDatastoreOptions extends LogBehavior {
  /**
   * The name of the table of revisions, at most 48 bytes, without double quotes. The other tables begin with it:
   * `<table>_heads`, `_state`, `_stores`, `_operations`, `_clients`, `_sessions`, `_session_keys` and `_owners`. They are
   * created if they do not exist.
   */
  readonly table: string
  /** Their schema on Postgres, or attached database on SQLite; by default the connection's own. It must exist. */
  readonly schema?: string | undefined
  /**
   * How long another process waits for an owner that has stopped, by the database's clock. It is extended when a third of
   * it is over. Default 10 seconds.
   */
  readonly lease?: Duration.DurationInput | undefined
  /** What the message of a process that is refused calls this one. Default: a random name. */
  readonly ownerName?: string | undefined
}

/** The rules of the options. */
export const datastoreRules = {
  ...behaviorRules,
  table: tableName(longestSuffix),
  schema: optional(sqlName),
  lease: or(timer, 10_000),
  ownerName: optional(valid<string>((given) => validateText("it", given)?.replace("it must", "must")))
} satisfies Rules<SqlDatastoreOptions>

/** What an adapter brings. */
export interface Connected {
  readonly dialect: Dialect
  readonly executor: Executor
  readonly logStatements: (feed: Feed, limits: Limits) => LogStatements
}

const backendOf = (
  place: SavePlace,
  { own, fence }: Ownerships,
  open: Backend["open"],
  ring: (store: { readonly feed: Feed; readonly logId: string }, seq: number) => Effect.Effect<void>
): Backend => ({
  name: `the tables of ${place.tables.log.log.sql}`,
  open,
  setVersion: (id, version) => setVersion(place, id, version),
  save: (batch, token) =>
    // What is committed is rung for, also if it is interrupted then.
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        restore(Effect.suspend(() => saveBatch(place, batch, token === undefined ? noFence : fence(token)))),
        ({ appended, outcomes }) =>
          Effect.as(
            Effect.forEach(appended, ({ seq, store }) => ring(store, seq), { discard: true }),
            outcomes
          )
      )
    ),
  own,
  sessions: sqlSessions(place),
  now: Effect.map(runAlone(place, place.statements.now), ([row]) => Number(row?.now))
})

/** Makes sure of all tables, once for all stores, and gives the driver. */
export const makeSqlDatastore = <Env>(
  options: SqlDatastoreOptions,
  connect: Effect.Effect<Connected, InvalidOptions, Env>
): Effect.Effect<Backend, StorageError | InvalidOptions, Env | Scope.Scope> =>
  Effect.gen(function* () {
    const resolved = yield* resolve<SqlDatastoreOptions>()(datastoreRules, options)
    const { doorbell, lease, lockTimeout, ownerName, schema, table } = resolved
    const { dialect, executor, logStatements } = yield* connect
    const tables = makeDatastoreTables(table, schema)
    const all = allTables(tables)
    yield* Effect.forEach(all, (one) => ensureTable(dialect, one, executor), { discard: true })
    yield* warnOfLosses(dialect, all, executor)
    const random = yield* makeRandom
    const place: SavePlace = {
      dialect,
      executor,
      tables,
      statements: storeStatements(dialect, tables),
      limits: limitsOf(lockTimeout),
      sizes: yield* CurrentSizeLimits,
      logStatements,
      random
    }
    const local = yield* LocalDoorbell
    const ownersTable = makeOwnersTable(table, schema)
    const owners = yield* openOwners({
      dialect,
      executor,
      table: ownersTable,
      locks: sessionLocksOf(doorbell)
    })
    const ownerships = makeOwnerships(dialect, owners, ownersTable, {
      lease,
      who: ownerName ?? `process ${randomName(random).slice(0, 8)}`
    })
    const open: Backend["open"] = (asked) =>
      Effect.gen(function* () {
        const { store, stored } = yield* openStored(place, asked)
        const log = yield* serveLog<StoredValue>({ store, client: undefined, local, doorbell }, resolved)
        return { stored, log, load: load(place, store), tidy: tidy(place, store) }
      })
    return backendOf(place, ownerships, open, (store, seq) => ringEverywhere({ store, local, doorbell }, seq))
  })
