/** The masters that the laws of a live table are played on. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Table from "../../../src/Table.js"
import * as Tier from "../../../src/Tier.js"
import * as Watch from "../../../src/Watch.js"
import { type Items, items } from "./rows.js"
import { type Open, openLiveTable } from "./world.js"

export interface Backend {
  readonly table: Table.Table<Items>
  /** Opens what is played with. */
  readonly open: Open
  /** Holds back what the log delivers, and lets it go on. */
  readonly changes: { readonly hold: () => void; readonly release: () => void } | undefined
  /** What was put into a late tier, and is not there yet. */
  readonly puts?: Array<Effect.Effect<void, unknown>>
}

/** A live table without a log. */
export const openAlone: Open = (master, setting) => openLiveTable(master, setting)

/** Whatever the table is, without a log. */
export const plainBackend = (table: Table.Table<Items>, open: Open = openAlone): Backend => ({
  table,
  open,
  changes: undefined
})

export const memoryBackend = (open?: Open): Effect.Effect<Backend, unknown> =>
  Effect.map(Table.memory(items), (table) => plainBackend(table, open))

const makeLog = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const latch = yield* Effect.makeLatch(true)
  const slow: ChangeLog.ChangeLog<Table.TableChange> = {
    ...log,
    head: latch.whenOpen(log.head),
    read: (options) => latch.whenOpen(log.read(options))
  }
  return {
    table: yield* Table.memory(items, { log }),
    watch: Watch.make(slow, { heartbeat: 500 }),
    changes: { hold: () => latch.unsafeClose(), release: () => latch.unsafeOpen() }
  }
})

/** A table in memory whose changes are in a log, which the live table follows. */
export const loggedBackend: Effect.Effect<Backend, unknown> = Effect.map(
  makeLog,
  ({ changes, table, watch }) => ({
    table,
    changes,
    open: (master, setting) => Effect.flatMap(watch, (changes) => openLiveTable(master, setting, { changes }))
  })
)

/** A tier that puts entries when it is asked to. */
const makeLateTier = Effect.map(Tier.memory(), (tier) => {
  const puts: Array<Effect.Effect<void, unknown>> = []
  const late: Tier.Tier = {
    ...tier,
    open: (namespace) =>
      Effect.map(tier.open(namespace), (store) => ({
        ...store,
        put: (entries) => Effect.sync(() => void puts.push(store.put(entries)))
      }))
  }
  return { puts, late }
})

/** Two live tables over one master, one log and one tier. */
export const tieredBackend: Effect.Effect<Backend, unknown> = Effect.gen(function* () {
  const { changes, table, watch } = yield* makeLog
  const { late, puts } = yield* makeLateTier
  return {
    table,
    changes,
    puts,
    open: (master, setting, note) =>
      Effect.gen(function* () {
        const options = { changes: yield* watch, tier: late }
        const first = yield* openLiveTable(master, setting, options)
        const noted: Table.Table<Items> = {
          ...table,
          write: (writes, batch) => Effect.tap(table.write(writes, batch), () => Effect.orDie(note))
        }
        const { live: other } = yield* openLiveTable(noted, setting, { ...options, changes: yield* watch })
        return { ...first, other }
      })
  }
})
