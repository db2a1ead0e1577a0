/** Leases of sessions: until when each lasts, by the database's clock, and which keys end with it. */
import { Effect, identity } from "effect"
import type { SessionLeases } from "../../../internal/catalog/backend.js"
import { compareText } from "../../../internal/text.js"
import { millisNow } from "../clock.js"
import type { Dialect, Statement, TableColumn } from "../dialect.js"
import { whileBusy } from "../errors.js"
import { compose, type Parts, param } from "../log/compose.js"
import { rowsOf } from "../log/jsonRows.js"
import { keyList } from "../log/selecting.js"
import { step, transaction } from "../transaction.js"
import { runAlone } from "./opening.js"
import type { SavePlace } from "./saving.js"
import type { DatastoreTables } from "./tables.js"

const sessionStatements = (dialect: Dialect, { sessionKeys, sessions }: DatastoreTables) => {
  const { id, until } = sessions.column
  const now = millisNow[dialect.name]
  const isOneOf = (ids: ReadonlyArray<string>): Parts => [`s."id" IN (`, ...keyList(dialect, id, ids), ")"]
  // As the type of another column: no column holds a duration.
  const ttl: TableColumn = { ...until, name: "ttl", sql: `"ttl"` }
  return {
    extend: (rows: ReadonlyArray<{ readonly id: string; readonly ttl: number }>) =>
      compose(
        dialect,
        `INSERT INTO ${sessions.sql} ("id", "until") SELECT e."id", ${now} + e."ttl" FROM `,
        ...rowsOf(dialect, [id, ttl], rows, id),
        // All writers lock sessions in one order, so that none wait for each other.
        ` e WHERE 1 = 1 ORDER BY e."id" ON CONFLICT ("id") DO UPDATE SET "until" = excluded."until"`
      ),
    ended: (limit: number) =>
      compose(
        dialect,
        `SELECT DISTINCT s."until", s."id", k."feed" FROM (SELECT "until", "id" FROM ${sessions.sql} WHERE "until" < ${now}` +
          ` ORDER BY "until", "id" LIMIT ${limit}) s LEFT JOIN ${sessionKeys.sql} k ON k."session" = s."id"` +
          ` ORDER BY s."until", s."id", k."feed"`
      ),
    lock: (ids: ReadonlyArray<string>) =>
      compose(
        dialect,
        `SELECT s."id" FROM ${sessions.sql} s WHERE `,
        ...isOneOf(ids),
        ` ORDER BY s."id"${dialect.forUpdate}`
      ),
    forget: (ids: ReadonlyArray<string>) =>
      compose(
        dialect,
        `DELETE FROM ${sessions.sql} AS s WHERE `,
        ...isOneOf(ids),
        ` AND NOT EXISTS (SELECT 1 FROM ${sessionKeys.sql} k WHERE k."session" = s."id")`
      ),
    keysOf: (store: string, session: string) =>
      compose(
        dialect,
        `SELECT k."key" FROM ${sessionKeys.sql} k WHERE k."session" = `,
        param(sessionKeys.column.session, session),
        ` AND k."feed" = `,
        param(sessionKeys.column.feed, store),
        ` ORDER BY k."key"`
      )
  }
}

/** Makes the leases of the sessions of a backend. */
export const sqlSessions = (place: SavePlace): SessionLeases => {
  const { dialect, executor, tables } = place
  const statements = sessionStatements(dialect, tables)
  const forget = (ids: ReadonlyArray<string>) =>
    whileBusy(
      transaction(dialect, executor.reserve, identity, (connection) => {
        const run = step(dialect, connection)
        // A save that adds a key locks its session: the deletion, a statement of its own, sees the key.
        const all: ReadonlyArray<Statement> = [dialect.begin, statements.lock(ids), statements.forget(ids)]
        return Effect.forEach(all, run, { discard: true })
      })
    )
  return {
    extend: (sessions) =>
      Effect.suspend(() => {
        // Of a session that is there twice the last one holds: a statement changes a row once.
        const leases = new Map(sessions.map(({ id, ttl }) => [id, Math.ceil(ttl)]))
        const rows = [...leases].map(([id, ttl]) => ({ id, ttl })).sort((a, b) => compareText(a.id, b.id))
        return rows.length === 0 ? Effect.void : Effect.asVoid(runAlone(place, statements.extend(rows)))
      }),
    ended: (limit) =>
      Effect.map(runAlone(place, statements.ended(limit)), (rows) => {
        const stores = new Map<string, Array<string>>()
        for (const { feed, id } of rows) {
          const known = stores.get(String(id)) ?? []
          stores.set(String(id), known)
          if (feed != null) known.push(String(feed))
        }
        return [...stores].map(([id, stores]) => ({ id, stores }))
      }),
    forget: (sessions) => (sessions.length === 0 ? Effect.void : forget(sessions)),
    keysOf: (store, session) =>
      Effect.map(runAlone(place, statements.keysOf(store, session)), (rows) =>
        rows.map(({ key }) => String(key))
      )
  }
}
