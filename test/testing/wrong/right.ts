/** A storage that keeps every law, in parts that a wrong one replaces. */
import { Effect, Either } from "effect"
import { compileNormalise } from "../../../src/internal/columns/checkRow.js"
import { rowCheck, type Saved, type Storage, StorageError } from "../../../src/Storage.js"
import type { Subject } from "../../../src/testing/StorageLaws.js"
import { type All, textIdColumns as columns, type Row, textIdSubject } from "../../support/laws/subjects.js"

export type Rows = Storage<Row, All, ReadonlyArray<Row>>
export type Save = Effect.Effect<Saved, unknown>
export type Batch = ReadonlyArray<Row>

/** What is committed, in order: another reader sees this, and every handle works on it. */
export interface Disk {
  rows: Array<Row>
}

/** A storage that breaks some laws. */
export interface Wrong {
  /** What it does. */
  readonly name: string
  /** The laws that it breaks: the one that is named for it first. It keeps all others. */
  readonly breaks: ReadonlyArray<string>
  readonly open: (disk: Disk) => Effect.Effect<Rows, unknown>
}

export const copy = compileNormalise(columns) as unknown as (row: Row) => Row

export const check = Either.getOrThrow(rowCheck(columns, "id"))

export const poison = (message: string): StorageError =>
  new StorageError({ kind: "Poison", outcome: "NotStored", message })

/** What of a batch is neither held nor in it before. */
export const newOnes = (held: Batch, batch: Batch): Batch => {
  const known = new Set(held.map(({ id }) => id))
  return batch.filter(({ id }) => {
    const isNew = !known.has(id)
    known.add(id)
    return isNew
  })
}

/** Whether a record breaks the unique constraint of the column `tag`: another one has its value. */
export const clashes = (held: Batch, fresh: Batch): boolean => {
  const owners = new Map(held.map(({ id, tag }) => [tag, id]))
  return fresh.some(({ id, tag }) => {
    if (typeof tag !== "string") return false
    const owner = owners.get(tag)
    owners.set(tag, id)
    return owner !== undefined && owner !== id
  })
}

/** The parts of a storage. */
export interface Parts {
  readonly check: (batch: Batch) => StorageError | undefined
  readonly fresh: (held: Batch, batch: Batch) => Batch
  readonly clashes: (held: Batch, fresh: Batch) => boolean
  /** What is kept of a record. */
  readonly keep: (row: Row) => Row
  /** Adds rows to those that are held. */
  readonly write: (disk: Disk, rows: Array<Row>) => void
  readonly load: (disk: Disk) => ReadonlyArray<Row>
  /** A page of all rows in their order. */
  readonly page: (rows: ReadonlyArray<Row>, limit: number, page: number) => ReadonlyArray<Row>
}

const parts: Parts = {
  check,
  fresh: newOnes,
  clashes,
  keep: copy,
  write: (disk, rows) => disk.rows.push(...rows),
  load: ({ rows }) => rows.map(copy),
  page: (rows, limit, page) => rows.slice((page - 1) * limit, page * limit)
}

/** Commits a batch, or refuses all of it, in one moment. */
export const commit = (disk: Disk, batch: Batch, over: Partial<Parts> = {}): Save =>
  Effect.suspend(() => {
    const { check, clashes, fresh, keep, write } = { ...parts, ...over }
    const refused = check(batch)
    if (refused !== undefined) return Effect.fail(refused)
    const rows = fresh(disk.rows, batch)
    if (clashes(disk.rows, rows)) return Effect.fail(poison("another unique constraint"))
    write(disk, rows.map(keep))
    return Effect.succeed({ duplicates: batch.length - rows.length })
  })

/** Something before and after it takes a turn, as a backend does. */
export const aTurn = (save: Save): Save =>
  Effect.zipRight(Effect.yieldNow(), Effect.zipLeft(save, Effect.yieldNow()))

/** The storage, with some parts replaced. */
export const right = (disk: Disk, over: Partial<Parts> = {}): Rows => {
  const save = (batch: Batch) => aTurn(commit(disk, batch, over))
  return {
    maxBatch: 120,
    save,
    prepare: save,
    load: (query) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() => {
          const { load, page } = { ...parts, ...over }
          if (query.page !== undefined && query.limit !== undefined) {
            const rows = disk.rows.map(copy).sort((a, b) => b.integer - a.integer)
            return Effect.succeed(page(rows, query.limit, query.page))
          }
          return Object.keys(query).length > 0
            ? Effect.fail(new Error("there are no queries but the one for everything, and its pages"))
            : Effect.succeed(load(disk))
        })
      )
  }
}

/** A wrong storage that differs in some parts. */
export const differing = (name: string, over: Partial<Parts>, breaks: ReadonlyArray<string>): Wrong => ({
  name,
  breaks,
  open: (disk) => Effect.sync(() => right(disk, over))
})

/** A wrong storage whose saves (prepared ones too) are done in another way. */
export const saving = (
  name: string,
  save: (disk: Disk, rightly: Rows) => (batch: Batch) => Save,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  open: (disk) =>
    Effect.sync(() => {
      const rightly = right(disk)
      const wrongly = save(disk, rightly)
      const later = (batch: Batch) => Effect.suspend(() => wrongly(batch))
      return { ...rightly, save: later, prepare: later }
    })
})

/** Any storage over a disk, as a subject of the laws. */
export const subjectOf = ({ name, open }: Pick<Wrong, "name" | "open">): Subject<Row, All> =>
  textIdSubject(
    name,
    Effect.sync(() => {
      const disk: Disk = { rows: [] }
      return { open: open(disk), peek: Effect.sync(() => disk.rows.map(({ id }) => id)) }
    }),
    {
      capabilities: {
        duplicates: "ignored",
        peeks: "in order",
        loads: "in order",
        handles: "together",
        prepares: "yes"
      }
    }
  )
