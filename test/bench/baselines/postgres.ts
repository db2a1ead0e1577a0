/** What one writes by hand on `pg`: a binary COPY of each batch, or one INSERT for each record. */
import { once } from "node:events"
import type * as Pg from "pg"
import { from } from "pg-copy-streams"
import { columnNames, type Entry } from "../support/records.js"

/** Fields of one row in the binary format of COPY, in a buffer that grows. */
class Writer {
  private buffer = Buffer.allocUnsafe(1 << 16)
  private at = 0

  private room(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(2 * (this.buffer.length + bytes))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }

  raw(text: string): void {
    this.room(text.length)
    this.at += this.buffer.write(text, this.at, "latin1")
  }

  int16(value: number): void {
    this.room(2)
    this.at = this.buffer.writeInt16BE(value, this.at)
  }

  int32(value: number): void {
    this.room(4)
    this.at = this.buffer.writeInt32BE(value, this.at)
  }

  int64(value: bigint): void {
    this.int32(8)
    this.room(8)
    this.at = this.buffer.writeBigInt64BE(value, this.at)
  }

  float8(value: number): void {
    this.int32(8)
    this.room(8)
    this.at = this.buffer.writeDoubleBE(value, this.at)
  }

  uuid(text: string): void {
    this.int32(16)
    this.room(16)
    this.at += this.buffer.write(text.replaceAll("-", ""), this.at, "hex")
  }

  /** With the version byte of jsonb, if it is one. */
  text(text: string, version = ""): void {
    this.room(4 + version.length + 3 * text.length)
    const start = this.at + 4
    this.buffer.write(version, start, "latin1")
    const bytes = version.length + this.buffer.write(text, start + version.length)
    this.buffer.writeInt32BE(bytes, this.at)
    this.at = start + bytes
  }

  finish(): Buffer {
    return this.buffer.subarray(0, this.at)
  }
}

/** Milliseconds from 1970 to 2000, where PostgreSQL's time begins. */
const epoch = 946_684_800_000

const encodeCopy = (batch: ReadonlyArray<Entry>): Buffer => {
  const writer = new Writer()
  writer.raw("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")
  for (const entry of batch) {
    writer.int16(columnNames.length)
    writer.uuid(entry.id)
    writer.int64(BigInt(entry.at.getTime() - epoch) * 1000n)
    writer.text(entry.actor)
    writer.text(entry.action)
    writer.text(entry.target)
    writer.text(entry.outcome)
    writer.int64(BigInt(entry.status))
    writer.float8(entry.duration_ms)
    writer.text(entry.request_id)
    writer.text(JSON.stringify(entry.detail), "\x01")
  }
  writer.int16(-1)
  return writer.finish()
}

const list = columnNames.join(", ")

/** One COPY, committed when this resolves. It knows no ON CONFLICT: an id that is there already fails it. */
export const copyBatch = async (
  client: Pg.Client,
  table: string,
  batch: ReadonlyArray<Entry>
): Promise<void> => {
  const stream = client.query(from(`COPY ${table} (${list}) FROM STDIN (FORMAT binary)`))
  stream.end(encodeCopy(batch))
  await once(stream, "finish")
}

/** One INSERT of one record, committed when this resolves. */
export const insertOne = async (client: Pg.Client | Pg.Pool, table: string, entry: Entry): Promise<void> => {
  const placeholders = columnNames.map((_, i) => `$${i + 1}`).join(", ")
  await client.query(`INSERT INTO ${table} (${list}) VALUES (${placeholders}) ON CONFLICT (id) DO NOTHING`, [
    entry.id,
    entry.at,
    entry.actor,
    entry.action,
    entry.target,
    entry.outcome,
    entry.status,
    entry.duration_ms,
    entry.request_id,
    JSON.stringify(entry.detail)
  ])
}
