/** The masters that the laws of a live table are played on. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Table from "../../../src/Table.js"
import * as Watch from "../../../src/Watch.js"
import { type Items, items } from "./rows.js"
import { type Open, openLiveTable } from "./world.js"

export interface Backend {
  readonly table: Table.Table<Items>
  /** Opens what is played with. */
  readonly open: Open
  /** Holds back what the log delivers, and lets it go on. */
  readonly changes: { readonly hold: () => void; readonly release: () => void } | undefined
}

/** Whatever the table is, without a log. */
export const plainBackend = (table: Table.Table<Items>, open: Open = openLiveTable): Backend => ({
  table,
  open,
  changes: undefined
})

export const memoryBackend = (open?: Open): Effect.Effect<Backend, unknown> =>
  Effect.map(Table.memory(items), (table) => plainBackend(table, open))

/** A table in memory whose changes are in a log, which the live table follows. */
export const loggedBackend: Effect.Effect<Backend, unknown> = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const latch = yield* Effect.makeLatch(true)
  const slow: ChangeLog.ChangeLog<Table.TableChange> = {
    ...log,
    head: latch.whenOpen(log.head),
    read: (options) => latch.whenOpen(log.read(options))
  }
  return {
    table: yield* Table.memory(items, { log }),
    open: (master, setting) =>
      Effect.flatMap(Watch.make(slow, { heartbeat: 500 }), (changes) =>
        openLiveTable(master, setting, changes)
      ),
    changes: { hold: () => latch.unsafeClose(), release: () => latch.unsafeOpen() }
  }
})
