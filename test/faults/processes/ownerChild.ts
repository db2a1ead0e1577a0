/**
 * A process that saves as the owner of a name, in owner.test.ts. It reports `owns`, `saved` after each commit, `stopping`
 * before it stops itself as SIGSTOP does, and `lost`.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Context, Duration, Effect, identity, Layer, Redacted, Stream } from "effect"
import { byDialect, clientExecutor } from "../../../src/sql/internal/client/client.js"
import { type Dialect, plain } from "../../../src/sql/internal/dialect.js"
import { openOwners } from "../../../src/sql/internal/owner/owners.js"
import { sessionLocksOf } from "../../../src/sql/internal/owner/sessionLocks.js"
import { makeOwnersTable } from "../../../src/sql/internal/owner/table.js"
import { pgDialect } from "../../../src/sql/internal/pg/dialect.js"
import { sqliteDialect } from "../../../src/sql/internal/sqlite/dialect.js"
import { step, transaction } from "../../../src/sql/internal/transaction.js"
import * as PgDoorbell from "../../../src/sql/PgDoorbell.js"
import { report } from "../../support/processes/report.js"

export interface OwnerSetting {
  /** Of Postgres; else a file of SQLite. */
  readonly url?: string
  readonly filename?: string
  readonly who: string
  readonly lease: number
  /** Whether it takes a lock of its doorbell's session. */
  readonly locks: boolean
  /** It stops itself after so many saves, if above 0. */
  readonly stopsAfter: number
}

const {
  filename = "",
  lease,
  locks,
  stopsAfter,
  url,
  who
} = JSON.parse(process.argv[2] ?? "{}") as OwnerSetting

const reported = (line: string) => Effect.sync(() => report(line))

const main = Effect.gen(function* () {
  const layer =
    url === undefined
      ? Layer.orDie(SqliteClient.layer({ filename }))
      : Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections: 2 }))
  const client = Context.get(yield* Layer.build(layer), SqlClient)
  const dialect = yield* byDialect<Dialect>(client, sqliteDialect, pgDialect)
  const executor = clientExecutor(client)
  const doorbell = locks && url !== undefined ? yield* PgDoorbell.make({ url }) : undefined
  if (doorbell !== undefined) {
    yield* Stream.runHead(Stream.filter(doorbell.states, ({ _tag }) => _tag === "Up"))
  }
  const owners = yield* openOwners({
    dialect,
    executor,
    table: makeOwnersTable("t"),
    locks: sessionLocksOf(doorbell)
  })
  yield* reported("ready")
  const owner = yield* owners.acquire("x", { who, lease, wait: Duration.infinity })
  yield* reported("owns")
  for (let n = 1; ; n++) {
    yield* transaction(dialect, executor.reserve, identity, (run) => {
      const one = step(dialect, run)
      return Effect.andThen(
        one(dialect.begin),
        Effect.andThen(
          owner.fence(one),
          one(plain(`INSERT INTO writes (generation) VALUES (${owner.generation})`))
        )
      )
    })
    yield* reported("saved")
    if (n === stopsAfter) {
      yield* reported("stopping")
      process.kill(process.pid, "SIGSTOP")
    }
    yield* Effect.sleep(5)
  }
})

Effect.runPromise(Effect.scoped(Effect.flip(main))).then(
  (error) => {
    report(error._tag === "OwnError" && error.reason === "Lost" ? "lost" : `failed ${String(error)}`)
    process.exit(0)
  },
  (error) => {
    report(`failed ${String(error)}`)
    process.exit(1)
  }
)
