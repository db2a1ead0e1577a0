/** What Postgres knows of a table, and of what can be lost. */
import { Effect } from "effect"
import { type Dialect, exactText, type Row } from "../dialect.js"

/** The rows of a raw result. */
export const rows = (result: unknown): ReadonlyArray<Row> =>
  (result as { readonly rows?: ReadonlyArray<Row> } | undefined)?.rows ?? []

// A unique index of a partitioned table has all columns of its partition key, and an expression in that forbids any.
const columnsOfTable = `SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type,
  (NOT attnotnull)::text AS nullable, (atthasdef OR attidentity <> '')::text AS filled,
  EXISTS (SELECT 1 FROM pg_catalog.pg_collation k WHERE k.oid = attcollation AND NOT k.collisdeterministic)::text AS loose,
  (SELECT pg_catalog.pg_get_partkeydef(p.partrelid) FROM pg_catalog.pg_partitioned_table p
    WHERE p.partrelid = a.attrelid AND EXISTS (SELECT 1 FROM unnest(p.partattrs::int2[]) AS n
      LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = p.partrelid AND b.attnum = n AND b.attname = ANY($2::text[])
      WHERE b.attname IS NULL)) AS partitioned
  FROM pg_catalog.pg_attribute a WHERE attrelid = to_regclass($1)::oid AND attnum > 0 AND NOT attisdropped
  ORDER BY a.attnum`

// ON CONFLICT takes an index as its arbiter when it is valid, checked at once, and neither partial nor of expressions.
const indexesOfTable = `SELECT c.relname::text AS name, coalesce((
    i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indnkeyatts = cardinality($2::text[])
    AND (SELECT count(*) FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = i.indrelid AND a.attname = ANY($2::text[]) AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))
      = i.indnkeyatts
  ), false)::text AS "keyUnique",
  (SELECT a.attname::text FROM unnest(i.indcollation::oid[]) WITH ORDINALITY AS u (coll, nth)
    JOIN pg_catalog.pg_collation k ON k.oid = u.coll AND NOT k.collisdeterministic
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[u.nth::int - 1]
    WHERE i.indisunique AND NOT EXISTS (SELECT 1 FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) AS n
      LEFT JOIN pg_catalog.pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[n]
      WHERE b.attname IS NULL OR NOT b.attname = ANY($3::text[]))
    LIMIT 1) AS loose
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  WHERE i.indrelid = to_regclass($1)::oid`

/** See `Dialect.inspect`. */
export const inspect: Dialect["inspect"] = (table, run) =>
  Effect.gen(function* () {
    const key = table.key.map(({ name }) => name)
    const columns = rows(yield* run({ text: columnsOfTable, params: [table.sql, key] }))
    if (columns.length === 0) return undefined
    const partitioned = columns[0]?.partitioned
    const exact = exactText(table).map(({ name }) => name)
    const all = table.exact.map(({ name }) => name)
    const indexes = rows(yield* run({ text: indexesOfTable, params: [table.sql, key, all] }))
    const loose = columns.filter(({ loose, name }) => loose === "true" && exact.includes(String(name)))
    return {
      columns: columns.map(({ filled, name, nullable, type }) => ({
        name: String(name),
        type: String(type),
        nullable: nullable === "true",
        hasDefault: filled === "true"
      })),
      indexes: indexes.map(({ name }) => String(name)),
      partitionedBy: typeof partitioned === "string" ? partitioned : undefined,
      keyUnique: indexes.some(({ keyUnique }) => keyUnique === "true"),
      loose: [
        ...loose.map(({ name }) => ({ column: String(name), index: undefined })),
        ...indexes.flatMap(({ loose: column, name }) =>
          column === null || loose.some(({ name }) => name === column)
            ? []
            : [{ column: String(column), index: String(name) }]
        )
      ]
    }
  })

// Of the tables those alone that do not outlive every crash.
const lossesOf = `SELECT current_setting('synchronous_commit') AS "commit", current_setting('fsync') AS fsync, w.name, w.kind
  FROM (SELECT 1) one LEFT JOIN (SELECT t.name, c.relpersistence::text AS kind FROM unnest($1::text[]) AS t (name)
    JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name)::oid AND c.relpersistence <> 'p') w ON true`

/** See `Dialect.losses`. */
export const losses: Dialect["losses"] = (tables, run) =>
  Effect.map(run({ text: lossesOf, params: [tables.map(({ sql }) => sql)] }), (result) => {
    const found = rows(result)
    const risks: Array<string> = []
    if (found[0]?.commit === "off") {
      risks.push(
        "synchronous_commit is off, and a crash of the server takes the last saves; " +
          "set it to on for this role or database"
      )
    }
    if (found[0]?.fsync === "off") risks.push("fsync is off, and a power failure takes any of them")
    for (const { kind, name } of found) {
      if (kind === "u")
        risks.push(
          `${name} is UNLOGGED, and a crash of the server empties it; run: ALTER TABLE ${name} SET LOGGED`
        )
      if (kind === "t")
        risks.push(`${name} is TEMPORARY, and goes with its connection; create it without TEMPORARY`)
    }
    return risks
  })
