/** What the tests of permanent stores share: backends over a database, and saves in short. */
import { SqlClient } from "@effect/sql/SqlClient"
import { Context, Effect, type Scope } from "effect"
import type {
  Decision,
  Locked,
  OperationId,
  Save,
  SaveOutcome,
  Stored,
  StoredChange
} from "../../../src/internal/catalog/backend.js"
import type { Json } from "../../../src/internal/columns/jsonData.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { oncePerFile } from "../../support/laws/oncePerFile.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { pgSchema, sqliteFile, type TableDatabase } from "../../support/table/databases.js"

const suffixes = [
  "",
  "_heads",
  "_state",
  "_stores",
  "_operations",
  "_clients",
  "_sessions",
  "_session_keys",
  "_owners"
]

/** The tables of the stores. */
export const tables = suffixes.map((suffix) => `shared${suffix}`)

/** Lets the database's clock go on by so many milliseconds, for what is stored. */
export const passing = (millis: number): ReadonlyArray<string> => [
  `UPDATE shared_sessions SET "until" = "until" - ${millis}`,
  `UPDATE shared_operations SET "at" = "at" - ${millis}`,
  `UPDATE shared_clients SET "at" = "at" - ${millis}`
]

/** A backend over another client. No poll finds what it does not ring for. */
export const backendOf = (
  { client }: TableDatabase,
  options: Partial<SqlDatastore.SqlDatastoreOptions> = {}
) =>
  Effect.flatMap(client, (context) =>
    Effect.provide(SqlDatastore.make({ table: "shared", poll: "1 hour", ...options }), context)
  )

/** A database with backends of several processes, which is emptied for each test. */
export interface Shared {
  readonly db: TableDatabase
  readonly one: SqlDatastore.Backend
  readonly other: SqlDatastore.Backend
}

const shared = (database: Effect.Effect<TableDatabase, unknown, Scope.Scope>): Effect.Effect<Shared> => {
  const once = oncePerFile(
    Effect.gen(function* () {
      const db = yield* database
      return {
        db,
        one: yield* backendOf(db, { ownerName: "one" }),
        other: yield* backendOf(db, { ownerName: "other" })
      }
    })
  )
  return Effect.tap(once, ({ db }) =>
    Effect.orDie(Effect.forEach(tables, (table) => db.sql(`DELETE FROM ${table}`)))
  )
}

const given = [
  ["SQLite", sqliteFile],
  ...databaseUrls().map(({ name, url }) => [`Postgres, ${name}`, pgSchema(url)] as const)
] as const

/** An emptied database for each test, one for all tests of a file. */
export const databases = () => given.map(([name, database]) => [name, shared(database)] as const)

/** The database, whose clients count their statements. */
export const counting = (db: TableDatabase) => {
  const counts = { statements: 0, transactions: 0 }
  const counted = (client: SqlClient): SqlClient => {
    const reserve = Effect.map(client.reserve, (connection) => ({
      ...connection,
      executeRaw: (text: string, params: ReadonlyArray<unknown>) => {
        counts.statements++
        if (text.startsWith("BEGIN")) counts.transactions++
        return connection.executeRaw(text, params)
      }
    }))
    return new Proxy(client, {
      get: (target, name) => (name === "reserve" ? reserve : Reflect.get(target, name))
    })
  }
  const client = Effect.map(db.client, (context) =>
    Context.add(context, SqlClient, counted(Context.get(context, SqlClient)))
  )
  return { counts, db: { ...db, client } }
}

export const stored = (id: string, over: Partial<Stored> = {}): Stored => ({
  id,
  part: "store",
  primary: "id",
  version: 0,
  fingerprint: "",
  owner: "",
  ...over
})

let names = 0

/** A save that decides by a function. */
export const save = (
  store: string,
  keys: ReadonlyArray<string>,
  decide: Save["decide"],
  id?: OperationId
): Save => ({ store, name: `save ${++names}`, keys, id, decide })

export const put = (
  { head }: Pick<Locked, "head">,
  key: string,
  data: Json,
  session?: string
): StoredChange => ({
  _tag: "Put",
  key,
  value: { data, seq: head.seq + 1, ...(session === undefined ? {} : { session }) }
})

const decided = (
  changes: ReadonlyArray<StoredChange>,
  id: OperationId | undefined,
  reply: Json
): Decision => ({
  revisions: [changes],
  ...(id === undefined ? {} : { reply })
})

/** Sets a key, and remembers the number of the revision as the reply. */
export const set = (store: string, key: string, data: Json, id?: OperationId, session?: string): Save =>
  save(
    store,
    [key],
    (locked) =>
      locked.remembered === undefined
        ? decided([put(locked, key, data, session)], id, locked.head.seq + 1)
        : { revisions: [] },
    id
  )

export const remove = (store: string, key: string): Save =>
  save(store, [key], ({ get }) => ({
    revisions: get(key) === undefined ? [] : [[{ _tag: "Delete", key }]]
  }))

/** An operation of a client. */
export const operation = (n: number, client = "a", content = "x"): OperationId => ({
  client,
  n,
  principal: "p",
  content
})

/** The numbers of the revisions of outcomes, or why there are none. */
export const seqs = (outcomes: ReadonlyArray<SaveOutcome>) =>
  outcomes.map((outcome) =>
    outcome._tag === "Saved" ? outcome.revisions.map(({ seq }) => seq) : outcome.message
  )
