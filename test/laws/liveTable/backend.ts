/** The masters that the laws of a live table are played on. */
import type { SqlClient } from "@effect/sql/SqlClient"
import { type Context, Effect, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as SqlTier from "../../../src/sql/SqlTier.js"
import * as Table from "../../../src/Table.js"
import * as Tier from "../../../src/Tier.js"
import * as Watch from "../../../src/Watch.js"
import type { VirtualTime } from "../../support/time/virtualTime.js"
import { type Items, items } from "./rows.js"
import { type Open, openLiveTable } from "./world.js"

/** What happens to the log that is followed. */
interface Log {
  /** Lets the log be asked later, or answer later. */
  readonly hold: (what: "questions" | "answers") => void
  /** Lets through what waits. What is asked from now on waits. */
  readonly releaseOne: () => void
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
  /** Lets the reads of the tier fail, or answer when it is mended, and succeed again. */
  readonly tierFaults?: Record<"break" | "slow" | "mend", () => void>
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

/** A table whose changes are in a log, and a tier. */
export interface Place {
  readonly table: Table.Table<Items>
  readonly log: ChangeLog.ChangeLog<Table.TableChange>
  readonly tier: Tier.Tier
  /** `outside`: it answers in the host's time, as a database does. */
  readonly answers: "at once" | "outside"
}

const memoryPlace: Effect.Effect<Place, unknown> = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  return {
    log,
    table: yield* Table.memory(items, { log }),
    tier: yield* Tier.memory(),
    answers: "at once"
  }
})

type Around = <A, E, R>(call: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const aroundOf = ({ answers }: Place, time: VirtualTime): Around =>
  answers === "outside" ? time.outside : (call) => call

const makeLog = ({ log }: Place) =>
  Effect.map(Effect.all([Effect.makeLatch(true), Effect.makeLatch(true)]), ([questions, answers]) => ({
    changes: {
      hold: (what: "questions" | "answers") => (what === "answers" ? answers : questions).unsafeClose(),
      releaseOne: () => {
        Effect.runSync(questions.release)
        Effect.runSync(answers.release)
      },
      release: () => {
        questions.unsafeOpen()
        answers.unsafeOpen()
      },
      compact: Effect.flatMap(log.head, ({ head }) => Effect.asVoid(log.compact(head.seq))),
      renew: Effect.asVoid(log.renewEpoch)
    },
    /** Follows the log, held back as the schedule wants it. */
    watch: (around: Around) => {
      const { revisionAt } = log
      const held = <A, E>(call: Effect.Effect<A, E>) =>
        Effect.tap(questions.whenOpen(around(call)), () => answers.await)
      const slow: ChangeLog.ChangeLog<Table.TableChange> = {
        ...log,
        head: held(log.head),
        read: (options) => held(log.read(options)),
        ...(revisionAt === undefined ? {} : { revisionAt: (seq) => held(revisionAt(seq)) })
      }
      return Watch.make(slow, { heartbeat: 500 })
    }
  }))

/** A table whose changes are in a log, which the live table follows. */
const loggedOf = (place: Place): Effect.Effect<Backend> =>
  Effect.map(makeLog(place), ({ changes, watch }) => ({
    table: place.table,
    changes,
    open: (master, setting, _note, time) =>
      Effect.flatMap(watch(aroundOf(place, time)), (changes) => openLiveTable(master, setting, { changes }))
  }))

/** As {@link loggedOf}, in memory. */
export const loggedBackend: Effect.Effect<Backend, unknown> = Effect.flatMap(memoryPlace, loggedOf)

/** A tier that puts and removes entries when it is asked to, and that can fail, or answer late. */
const makeLateTier = ({ tier }: Place) => {
  const puts: Array<Effect.Effect<void, unknown>> = []
  const state = { isBroken: false, answers: Effect.unsafeMakeLatch(true) }
  const broken = new Tier.TierError({ reason: "Unavailable", message: "broken" })
  const late = (around: Around): Tier.Tier => ({
    ...tier,
    open: (namespace) =>
      Effect.map(around(tier.open(namespace)), (store) => ({
        ...store,
        get: (keys) =>
          Effect.suspend(() =>
            state.isBroken ? Effect.fail(broken) : Effect.tap(around(store.get(keys)), state.answers.await)
          ),
        put: (entries) => Effect.sync(() => void puts.push(store.put(entries))),
        remove: (keys) => Effect.sync(() => void puts.push(store.remove(keys)))
      }))
  })
  const tierFaults = {
    break: () => {
      state.isBroken = true
    },
    slow: () => state.answers.unsafeClose(),
    mend: () => {
      state.isBroken = false
      state.answers.unsafeOpen()
    }
  }
  return { puts, late, tierFaults }
}

/** The table for another program, whose writes are noted before it reads what they have made. */
const otherTable = (
  { table }: Place,
  around: Around,
  note: Effect.Effect<unknown, unknown>
): Table.Table<Items> => {
  const inTurn = Effect.unsafeMakeSemaphore(1).withPermits(1)
  return {
    ...table,
    list: (query) => inTurn(around(table.list(query))),
    getMany: (ids) => inTurn(around(table.getMany(ids))),
    count: (where) => inTurn(around(table.count(where))),
    write: (writes, batch) =>
      inTurn(Effect.tap(around(table.write(writes, batch)), () => Effect.orDie(around(note))))
  }
}

/** Two live tables over one master, one log and one tier. */
const tieredOf = (place: Place): Effect.Effect<Backend> =>
  Effect.map(makeLog(place), ({ changes, watch }) => {
    const { late, puts, tierFaults } = makeLateTier(place)
    return {
      table: place.table,
      changes,
      puts,
      tierFaults,
      open: (master, setting, note, time) =>
        Effect.gen(function* () {
          const around = aroundOf(place, time)
          const options = { changes: yield* watch(around), tier: late(around) }
          const first = yield* openLiveTable(master, setting, options)
          const others = otherTable(place, around, note)
          const changes = yield* watch(around)
          const { live: other } = yield* openLiveTable(others, setting, { ...options, changes })
          return { ...first, other }
        })
    }
  })

/** As {@link tieredOf}, in memory. */
export const tieredBackend: Effect.Effect<Backend, unknown> = Effect.flatMap(memoryPlace, tieredOf)

/** A place in a database, for one schedule after the other. */
export const databasePlace = (
  client: Context.Context<SqlClient>
): Effect.Effect<Place, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    return {
      table: yield* SqlTable.make(items, { log: { table: "log" } }),
      // What is committed rings: no poll finds it.
      log: yield* SqlChangeLog.make<Table.TableChange>({ table: "log", poll: "1 hour" }),
      tier: yield* SqlTier.make({ table: "tier" }),
      answers: "outside" as const
    }
  }).pipe(Effect.provide(client))

/** Leaves nothing of the schedule before. */
const emptied = ({ log, table, tier }: Place): Effect.Effect<void, unknown> =>
  Effect.all(
    [
      table.deleteAll,
      log.renewEpoch,
      Effect.scoped(Effect.flatMap(tier.open(items.name), ({ clear }) => clear))
    ],
    {
      discard: true
    }
  )

/** Over the log of a database, and with a second live table and the tier of a database. */
export const databaseBackends = (place: Place) => {
  const inSteps = (backend: Effect.Effect<Backend>): Effect.Effect<Backend, unknown> =>
    Effect.andThen(
      emptied(place),
      Effect.map(backend, (backend) => ({ ...backend, inSteps: true }))
    )
  return { logged: inSteps(loggedOf(place)), tiered: inSteps(tieredOf(place)) }
}
