/** A table with a script of faults before it: what a schedule's recorder takes for its storage. */
import { Effect, Fiber } from "effect"
import {
  Column,
  Query,
  type RowOf,
  type Saved,
  type Storage,
  StorageError,
  type TableStorage
} from "../../../src/Storage.js"
import type { VirtualTime } from "../../support/time/virtualTime.js"
import type { Commits, Fault, Row, Sample } from "./schedule.js"

export const columns = {
  id: Column.text,
  n: Column.integer,
  /** Unique, where the table can say so; slot 1 is taken by a row that belongs to no schedule. */
  slot: Column.nullable(Column.integer),
  note: Column.text
}

type Held = RowOf<typeof columns>

/** The row that holds slot 1. */
export const taken: Held = { id: "taken", n: -1, slot: 1, note: "" }

/** A table for one schedule, with no row of it, and another reader of the same data. */
export interface Table {
  readonly storage: Pick<TableStorage<typeof columns>, "save" | "load" | "prepare">
  /** Slots are unique. */
  readonly unique: boolean
  /** The ids of a schedule are those with its prefix. */
  readonly prefix: string
  /** The numbers of the rows that another reader sees, in the order in which they were stored. */
  readonly peek: Effect.Effect<ReadonlyArray<number>>
}

export interface Backend {
  readonly storage: Storage<Row, void, ReadonlyArray<number>>
  /** The ids that were ever given to `save`. */
  readonly handed: ReadonlySet<number>
  /** Calls that began while another one was running. */
  readonly overlaps: () => number
  /** The bad rows are good from now on. */
  readonly mend: () => void
  /** Handed back while a call still ran: nobody owns it any more. */
  readonly abandon: () => void
}

type Save = Effect.Effect<Saved | void, unknown>

const refused = (told: { readonly stored?: number }) =>
  new StorageError({ kind: "Poison", outcome: "NotStored", message: "poison", ...told })

/** Lets the schedule go on meanwhile; an interruption is waited for. */
const racing = <A, E>(time: VirtualTime, call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(restore(call)), (fiber) =>
      Effect.onInterrupt(restore(Fiber.join(fiber)), () => time.outside(Fiber.interrupt(fiber)))
    )
  )

export const faultyBackend = (
  table: Table,
  { faults, loadFaults, setting }: Sample,
  time: VirtualTime,
  observe: () => void
): Backend => {
  const { maxBatch, prepares, refuses } = setting
  const script = [...faults]
  const loadScript = [...loadFaults]
  const handed = new Set<number>()
  let mended = false
  let abandoned = false
  let running = 0
  let overlaps = 0

  const alone = <A, E>(call: () => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        if (running++ > 0 && !abandoned) overlaps++
        observe()
      }),
      call,
      () =>
        Effect.sync(() => {
          running--
          observe()
        })
    )

  /** A bad row as the table itself refuses it: for a value, or for another constraint. */
  const sent = ({ bad, id }: Row): Held => {
    const poison = bad === "poison" && !mended
    return {
      id: `${table.prefix}${id}`,
      n: id,
      slot: poison && refuses === "whole" && table.unique ? taken.slot : null,
      note: poison && refuses === "named" ? "\0" : ""
    }
  }
  const put = (rows: ReadonlyArray<Row>): Save =>
    rows.length === 0 ? Effect.void : Effect.suspend(() => table.storage.save(rows.map(sent)))

  const firstBad = (rows: ReadonlyArray<Row>) => (mended ? -1 : rows.findIndex(({ bad }) => bad !== "no"))

  /** Commits what can be, and says how that went. `whole` saves all the rows. */
  const commit = (rows: ReadonlyArray<Row>, whole: Save): Save =>
    Effect.suspend(() => {
      const first = firstBad(rows)
      if (first < 0) return whole
      const before = refuses === "from the first" ? put(rows.slice(0, first)) : Effect.void
      if (rows[first]?.bad === "unknown")
        return Effect.zipRight(before, Effect.die(new Error("no word for it")))
      if (refuses === "from the first")
        return Effect.zipRight(before, Effect.fail(refused({ stored: first })))
      return refuses === "named" || table.unique ? whole : Effect.fail(refused({}))
    })

  /** The rows that a commit without a word reaches: the good ones before the first bad one, or half of them. */
  const quietly = (rows: ReadonlyArray<Row>, commits: Commits): ReadonlyArray<Row> => {
    const first = firstBad(rows)
    // One statement with a bad record in it commits nothing.
    if (commits === "nothing" || (first >= 0 && refuses !== "from the first")) return []
    const most = first < 0 ? rows.length : first
    return rows.slice(0, commits === "all" ? most : most >> 1)
  }

  const faulty = (rows: ReadonlyArray<Row>, whole: Save, fault: Fault): Save => {
    if (fault.do === "nothing") return time.outside(commit(rows, whole))
    if (fault.do === "race") return racing(time, commit(rows, whole))
    const reached = quietly(rows, fault.commits)
    const reaches = time.outside(put(reached))
    if (fault.do === "die") return Effect.zipRight(reaches, Effect.die(new Error("died")))
    if (fault.do === "hang") {
      const { millis, stubborn } = fault
      const rest =
        millis === undefined
          ? Effect.never
          : Effect.zipRight(Effect.sleep(millis), time.outside(commit(rows, whole)))
      const call = Effect.zipRight(reaches, rest)
      return stubborn ? Effect.uninterruptible(call) : call
    }
    const known = fault.commits === "nothing" || fault.told
    return Effect.zipRight(
      reaches,
      Effect.fail(
        new StorageError({
          kind: fault.kind,
          outcome: known ? "NotStored" : "Unknown",
          message: `${fault.kind} failure`,
          ...(fault.blame === undefined ? {} : { blame: fault.blame }),
          ...(fault.fits === undefined ? {} : { fits: fault.fits }),
          ...(known && reached.length > 0 ? { stored: reached.length } : {})
        })
      )
    )
  }

  const save = (rows: ReadonlyArray<Row>, whole: Save): Save =>
    alone(() => {
      for (const { id } of rows) handed.add(id)
      return faulty(rows, whole, script.shift() ?? { do: "nothing" })
    })

  const found = Effect.map(
    Effect.suspend(() => table.storage.load({ where: Query.startsWith("id", table.prefix) })),
    (rows) => rows.map(({ n }) => n)
  )
  const load = (): Effect.Effect<ReadonlyArray<number>, unknown> =>
    alone(() => {
      switch (loadScript.shift() ?? "nothing") {
        case "fail":
          return Effect.fail(new Error("no answer"))
        case "die":
          return Effect.die(new Error("died"))
        case "hang":
          return Effect.never
        case "race":
          return racing(time, found)
        case "nothing":
          return time.outside(found)
      }
    })

  const prepare = (rows: ReadonlyArray<Row>): Save => {
    const copy = rows.slice()
    return save(copy, table.storage.prepare?.(copy.map(sent)) ?? put(copy))
  }

  return {
    storage: {
      save: (rows) => {
        const copy = rows.slice()
        return save(copy, put(copy))
      },
      load,
      ...(maxBatch === undefined ? {} : { maxBatch }),
      ...(prepares ? { prepare } : {})
    },
    handed,
    overlaps: () => overlaps,
    mend: () => {
      mended = true
    },
    abandon: () => {
      abandoned = true
    }
  }
}
