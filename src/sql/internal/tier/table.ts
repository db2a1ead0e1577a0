/** The table of a tier, and the keys in it. */
import { createHash } from "node:crypto"
import { Duration } from "effect"
import { Column } from "../../../internal/columns/columns.js"
import { optional, type Resolved, type Rules } from "../../../internal/options.js"
import { isLonger } from "../../../internal/text.js"
import type { CheckedEntry } from "../../../Tier.js"
import type { Row } from "../dialect.js"
import { type LayoutOf, layout } from "../layout.js"
import { sqlName, tableName } from "../options.js"

/** Which table holds a tier. */
export interface TierOptions {
  /** Its name, at most 55 bytes, without double quotes. It is created when it does not exist. */
  readonly table: string
  /** Its schema on Postgres, or attached database on SQLite; by default the connection's own. It must exist. */
  readonly schema?: string | undefined
}

const indexSuffix = "_expires"

/** The rules of a tier's options. */
export const tierRules = {
  table: tableName(indexSuffix),
  schema: optional(sqlName)
} satisfies Rules<TierOptions>

const tierColumns = {
  namespace: Column.text,
  key: Column.text,
  value: Column.text,
  epoch: Column.nullable(Column.text),
  seq: Column.nullable(Column.integer),
  /** By the clock of the process that put the entry. */
  expires: Column.nullable(Column.timestamp)
}

/** The table of a tier whose options have been checked. */
export type TierTable = LayoutOf<typeof tierColumns>

export const makeTierTable = ({ schema, table }: Resolved<TierOptions, typeof tierRules>): TierTable =>
  layout(
    schema,
    table,
    tierColumns,
    ["namespace", "key"],
    [{ name: `${table}${indexSuffix}`, columns: ["expires"], unique: false }]
  )

/** In bytes of UTF-8. An index entry of Postgres has at most 2,704, and a namespace takes 512 of them. */
const maxPlainKeyBytes = 1024

const hashed = "sha256:"

/** The key of an entry in the table: a long one is its hash, and so is one that looks like a hash. */
export const storedKey = (key: string): string =>
  key.startsWith(hashed) || isLonger(key, maxPlainKeyBytes)
    ? `${hashed}${createHash("sha256").update(key).digest("hex")}`
    : key

/** A row of the table, but for its namespace. */
export interface TierRow extends Row {
  readonly key: string
}

/** The row of an entry that is put at this time. */
export const rowOf = ({ key, order, ttl, value }: CheckedEntry, at: Date): TierRow => ({
  key: storedKey(key),
  value,
  epoch: order?.epoch ?? null,
  seq: order?.seq ?? null,
  expires: ttl === undefined ? null : new Date(at.getTime() + Duration.toMillis(ttl))
})
