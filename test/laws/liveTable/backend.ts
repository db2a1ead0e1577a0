/** The masters that the laws of a live table are played on. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Table from "../../../src/Table.js"
import * as Tier from "../../../src/Tier.js"
import * as Watch from "../../../src/Watch.js"
import { type Items, items } from "./rows.js"
import { type Open, openLiveTable } from "./world.js"

/** What happens to the log that is followed. */
interface Log {
  readonly hold: () => void
  readonly release: () => void
  /** Removes all that it holds: who is behind has a gap. */
  readonly compact: Effect.Effect<void, unknown>
  /** Begins another epoch: no revision of before can be compared with those that come. */
  readonly renew: Effect.Effect<void, unknown>
}

export interface Backend {
  readonly table: Table.Table<Items>
  /** Opens what is played with. */
  readonly open: Open
  /** Holds back what the log delivers, and lets it go on. */
  readonly changes: Log | undefined
  /** What was put into a late tier, and is not there yet. */
  readonly puts?: Array<Effect.Effect<void, unknown>>
  /** Lets the reads of the tier fail, and succeed again. */
  readonly tierFaults?: { readonly break: () => void; readonly mend: () => void }
  /** Everything settles between two answers, as a database leaves time for. */
  readonly inSteps?: boolean
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
    changes: {
      hold: () => latch.unsafeClose(),
      release: () => latch.unsafeOpen(),
      compact: Effect.flatMap(log.head, ({ head }) => Effect.asVoid(log.compact(head.seq))),
      renew: Effect.asVoid(log.renewEpoch)
    }
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

/** A tier that puts entries when it is asked to, and that can fail. */
const makeLateTier = Effect.map(Tier.memory(), (tier) => {
  const puts: Array<Effect.Effect<void, unknown>> = []
  const state = { isBroken: false }
  const broken = new Tier.TierError({ reason: "Unavailable", message: "broken" })
  const late: Tier.Tier = {
    ...tier,
    open: (namespace) =>
      Effect.map(tier.open(namespace), (store) => ({
        ...store,
        get: (keys) => Effect.suspend(() => (state.isBroken ? Effect.fail(broken) : store.get(keys))),
        put: (entries) => Effect.sync(() => void puts.push(store.put(entries)))
      }))
  }
  const tierFaults = {
    break: () => {
      state.isBroken = true
    },
    mend: () => {
      state.isBroken = false
    }
  }
  return { puts, late, tierFaults }
})

/** Two live tables over one master, one log and one tier. */
export const tieredBackend: Effect.Effect<Backend, unknown> = Effect.gen(function* () {
  const { changes, table, watch } = yield* makeLog
  const { late, puts, tierFaults } = yield* makeLateTier
  return {
    table,
    changes,
    puts,
    tierFaults,
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
