/** What the tests of permanent stores share: backends over a database, and saves in short. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { type Context, Effect, type Scope } from "effect"
import type {
  Decision,
  Locked,
  OperationId,
  Save,
  Stored,
  StoredChange
} from "../../../src/internal/catalog/backend.js"
import type { Json } from "../../../src/internal/columns/jsonData.js"
import * as SqlDatastore from "../../../src/sql/SqlDatastore.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { pgSchema, sqliteFile, type TableDatabase } from "../../support/table/databases.js"

export const databases: ReadonlyArray<
  readonly [name: string, database: Effect.Effect<TableDatabase, unknown, Scope.Scope>]
> = [
  ["SQLite", sqliteFile],
  ...databaseUrls().map(({ name, url }) => [`Postgres, ${name}`, pgSchema(url)] as const)
]

/** A backend over a client. No poll finds what it does not ring for. */
export const backendOf = (
  context: Context.Context<SqlClient>,
  options: Partial<SqlDatastore.SqlDatastoreOptions> = {}
) => Effect.provide(SqlDatastore.make({ table: "shared", poll: "1 hour", ...options }), context)

/** A database with backends of two processes. */
export const setUp = (
  database: Effect.Effect<TableDatabase, unknown, Scope.Scope>,
  options: Partial<SqlDatastore.SqlDatastoreOptions> = {}
) =>
  Effect.gen(function* () {
    const db = yield* database
    const one = yield* Effect.flatMap(db.client, (context) => backendOf(context, options))
    const other = yield* Effect.flatMap(db.client, (context) => backendOf(context, options))
    return { db, one, other }
  })

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
export const seqs = (
  outcomes: ReadonlyArray<import("../../../src/internal/catalog/backend.js").SaveOutcome>
) =>
  outcomes.map((outcome) =>
    outcome._tag === "Saved" ? outcome.revisions.map(({ seq }) => seq) : outcome.message
  )
