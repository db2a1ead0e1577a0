/**
 * The statements of owners. Each instant is by the clock of the database. On Postgres a renewal waits for no save, and a
 * take-over waits for all of them: a save locks the row FOR KEY SHARE, which goes with an UPDATE of other columns than
 * the key, and not with FOR UPDATE.
 */
import { millisNow } from "../clock.js"
import type { Dialect, Row, Statement } from "../dialect.js"
import { compose, type Parts, param, selected } from "../log/compose.js"
import type { OwnersTable } from "./table.js"

/** A row of the table, as it is now. */
export interface OwnerRow {
  readonly token: string | undefined
  readonly generation: number
  readonly until: Date
  readonly locked: boolean
  readonly holder: string
  /** Whether the lease has run out. */
  readonly over: boolean
}

/** What an owner writes into the row. */
export interface Claim {
  readonly name: string
  readonly token: string
  readonly holder: string
  /** In whole milliseconds. */
  readonly lease: number
}

/** The statements of one table. */
export interface OwnerStatements {
  /** Makes the row of a name if there is none. */
  readonly create: (name: string) => Statement
  readonly look: (name: string) => Statement
  /** As `look`, and locks the row. It waits for nothing: a row that a save has locked is not in the result. */
  readonly lock: (name: string) => Statement
  /** Writes another owner into the row, which is locked. */
  readonly take: (claim: Claim, generation: number, locked: boolean) => Statement
  /** Extends a lease. The result has a row if the token is still there. */
  readonly renew: (claim: Claim, locked: boolean) => Statement
  readonly release: (name: string, token: string) => Statement
  /**
   * In the transaction of a save: the result has a row if the token is still there, and then it is until the end of the
   * transaction.
   */
  readonly fence: (name: string, token: string) => Statement
  readonly row: (result: unknown) => OwnerRow | undefined
  /** Reads what names the table in its database, as `place`. */
  readonly place: Statement
}

/** What the databases do in their own way. */
interface Own {
  readonly now: string
  readonly after: (millis: Parts[number]) => Parts
  readonly lock: string
  readonly fence: string
  readonly place: (table: OwnersTable) => string
}

const own: { readonly [Name in Dialect["name"]]: Own } = {
  sqlite: {
    now: millisNow.sqlite,
    after: (millis) => [`${millisNow.sqlite} + `, millis],
    // Every transaction that writes holds the whole file.
    lock: "",
    fence: "",
    place: ({ name }) => `SELECT '${name.replaceAll("'", "''")}' AS "place"`
  },
  pg: {
    // Not the time when the transaction began.
    now: "clock_timestamp()",
    after: (millis) => ["clock_timestamp() + ", millis, " * interval '1 millisecond'"],
    lock: " FOR UPDATE SKIP LOCKED",
    fence: " FOR KEY SHARE",
    place: ({ sql }) => `SELECT to_regclass('${sql.replaceAll("'", "''")}')::oid::text AS "place"`
  }
}

const decodeRow = (dialect: Dialect, table: OwnersTable, row: Row): OwnerRow => {
  const value = (name: keyof OwnersTable["column"]): unknown => {
    const given = row[name]
    return given === null ? undefined : dialect.decode(table.column[name])(given)
  }
  // Each column is of its type: only this file writes the table.
  return {
    token: value("token") as string | undefined,
    generation: value("generation") as number,
    until: value("until") as Date,
    locked: value("locked") as boolean,
    holder: value("holder") as string,
    over: Number(row.over) === 1
  }
}

/** Makes the statements of a table. */
export const ownerStatements = (dialect: Dialect, table: OwnersTable): OwnerStatements => {
  const { generation, holder, locked, name, token, until } = table.column
  const { after, fence, lock, now, place } = own[dialect.name]
  const whose = (of: string) => param(name, of)
  const isOwners = (of: string, by: string): Parts => [
    ` WHERE ${name.sql} = `,
    whose(of),
    ` AND ${token.sql} = `,
    param(token, by)
  ]
  // As the type of another column: no column holds a duration.
  const lease = (claim: Claim): Parts => after(param(generation, claim.lease))
  const look = (of: string, end: string) =>
    compose(
      dialect,
      `SELECT ${selected(dialect, "h", table.columns)}, CASE WHEN h.${until.sql} <= ${now} THEN 1 ELSE 0 END AS "over"`,
      ` FROM ${table.sql} h WHERE h.${name.sql} = `,
      whose(of),
      end
    )
  return {
    create: (of) =>
      compose(
        dialect,
        `INSERT INTO ${table.sql} (${[name, generation, until, locked, holder].map(({ sql }) => sql).join(", ")}) VALUES (`,
        whose(of),
        ", ",
        param(generation, 0),
        `, ${now}, `,
        param(locked, false),
        `, '') ON CONFLICT (${name.sql}) DO NOTHING`
      ),
    look: (of) => look(of, ""),
    lock: (of) => look(of, lock),
    take: (claim, next, isLocked) =>
      compose(
        dialect,
        `UPDATE ${table.sql} SET ${token.sql} = `,
        param(token, claim.token),
        `, ${generation.sql} = `,
        param(generation, next),
        `, ${until.sql} = `,
        ...lease(claim),
        `, ${locked.sql} = `,
        param(locked, isLocked),
        `, ${holder.sql} = `,
        param(holder, claim.holder),
        ` WHERE ${name.sql} = `,
        whose(claim.name)
      ),
    renew: (claim, isLocked) =>
      compose(
        dialect,
        `UPDATE ${table.sql} SET ${until.sql} = `,
        ...lease(claim),
        `, ${locked.sql} = `,
        param(locked, isLocked),
        ...isOwners(claim.name, claim.token),
        ` RETURNING 1 AS "held"`
      ),
    release: (of, by) =>
      compose(
        dialect,
        `UPDATE ${table.sql} SET ${token.sql} = NULL, ${locked.sql} = `,
        param(locked, false),
        ...isOwners(of, by)
      ),
    fence: (of, by) => compose(dialect, `SELECT 1 AS "held" FROM ${table.sql}`, ...isOwners(of, by), fence),
    row: (result) => {
      const [row] = dialect.rows(result)
      return row === undefined ? undefined : decodeRow(dialect, table, row)
    },
    place: { text: place(table), params: [] }
  }
}
