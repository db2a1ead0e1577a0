/** What folding a key costs: in memory, on SQLite and on Postgres, beside the same work by hand. */

import Sqlite from "better-sqlite3"
import { Cache, Duration, Effect, Option, Redacted, Schema } from "effect"
import * as Pg from "pg"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as SqliteChangeLog from "../../../src/sql/SqliteChangeLog.js"
import { type Bench, interleave, type Sample } from "../support/bench.js"
import { inTemporaryFile } from "../support/files.js"
import type { EventStore } from "../support/peers.js"
import { using } from "../support/recorders.js"
import { eventAt, inGroups } from "./events.js"

type Log = ChangeLog.ChangeLog<Projection.EventValue>

const booked = Schema.Struct({ amount: Schema.Number, note: Schema.String })
const schemas = { deposited: booked, withdrawn: booked, renamed: Schema.Struct({ name: Schema.String }) }
const events = Projection.events(schemas)

interface Account {
  readonly balance: number
  readonly name: string
}

type Event = { readonly kind: string; readonly data: unknown }

const apply = (state: Account, event: Event): Account => {
  const data = event.data as { readonly amount: number; readonly name: string }
  switch (event.kind) {
    case "deposited":
      return { ...state, balance: state.balance + data.amount }
    case "withdrawn":
      return { ...state, balance: state.balance - data.amount }
    default:
      return { ...state, name: data.name }
  }
}

const initial: Account = { balance: 0, name: "" }

const accounts = Projection.define({
  name: "accounts",
  events,
  state: Schema.Struct({ balance: Schema.Number, name: Schema.String }),
  initial,
  incremental: "on",
  apply
})

/** Decodes by the same schemas, one after the other, and applies. */
const decoders = new Map(
  Object.entries(schemas).map(([kind, schema]) => [
    kind,
    Schema.decodeUnknownSync(schema as Schema.Schema<unknown>)
  ])
)
const byHand = (values: Iterable<Projection.EventValue>): Account => {
  let state = initial
  for (const { data, kind } of values) state = apply(state, { kind, data: decoders.get(kind)!(data) })
  return state
}

const key = "account/1"

const change = (n: number): ChangeLog.Change<Projection.EventValue> => ChangeLog.put(key, eventAt(n))

const fill = (log: Log, count: number): Effect.Effect<void, unknown> =>
  Effect.forEach(
    inGroups(
      Array.from({ length: count }, (_, n) => ({ changes: [change(n)] })),
      1000
    ),
    (group) => log.commit(group),
    { discard: true }
  )

const millis = async (work: () => unknown): Promise<number> => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

const projecting =
  (projection: Projection.Projection<Account>, times = 1) =>
  (): Promise<number> =>
    millis(() => Effect.runPromise(Effect.repeatN(projection.project(key), times - 1)))

const memory = Effect.gen(function* () {
  return yield* ChangeLog.make<Projection.EventValue>({
    keys: "indexed",
    maxRevisions: 2_000_000,
    maxBytes: Number.MAX_SAFE_INTEGER
  })
})

const without = { slots: 0 } as const

const inMemory = async (bench: Bench): Promise<void> => {
  const count = 10_000
  const log = await Effect.runPromise(memory)
  await Effect.runPromise(fill(log, count))
  const values = Array.from({ length: count }, (_, n) => eventAt(n))
  await using(Projection.make(accounts, log, without), async (projection) => {
    const samples = await interleave(
      { rounds: bench.pairs, parts: 3, warmUps: 2 },
      { replay: projecting(projection), loop: () => millis(() => byHand(values)) }
    )
    bench.heading(`A key of ${count.toLocaleString("en-US")} events in memory`)
    bench.figure("a full replay", samples.replay, "ms")
    bench.figure("a loop that decodes by the same schemas and applies", samples.loop, "ms")
    bench.ratio("the loop's time to that of a full replay", samples.loop, samples.replay, { atLeast: 0.6 })
  })
}

/** A state from memory, to a hit of a cache that promises nothing about its age. */
const slotHits = async (bench: Bench): Promise<void> => {
  const reads = 20_000
  const log = await Effect.runPromise(memory)
  await Effect.runPromise(fill(log, 10))
  const cache = Effect.runSync(
    Cache.make({ capacity: 1000, timeToLive: Duration.minutes(5), lookup: () => Effect.succeed(initial) })
  )
  await using(Projection.make(accounts, log), async (projection) => {
    await Effect.runPromise(projection.project(key))
    const repeated =
      (read: Effect.Effect<unknown, unknown>): Sample =>
      async () =>
        ((await millis(() => Effect.runPromise(Effect.repeatN(read, reads - 1)))) * 1e6) / reads
    const samples = await interleave(
      { rounds: bench.pairs, parts: 5, warmUps: 2 },
      { slot: repeated(projection.project(key)), cache: repeated(cache.get(key)) }
    )
    bench.heading("A state that is in memory, proven equal to a log in memory")
    bench.figure("project", samples.slot, "ns")
    bench.figure("a hit of effect/Cache", samples.cache, "ns")
    bench.ratio("a slot hit to a hit of effect/Cache", samples.slot, samples.cache, { atMost: 2 })
  })
}

const incremental = async (bench: Bench): Promise<void> => {
  const count = 1_000_000
  const log = await Effect.runPromise(memory)
  await Effect.runPromise(fill(log, count))
  let at = count
  await using(Projection.make(accounts, log), (projection) =>
    using(Projection.make(accounts, log, without), async (replaying) => {
      await Effect.runPromise(projection.project(key))
      const replay = [
        await projecting(replaying)(),
        await projecting(replaying)(),
        await projecting(replaying)()
      ]
      const few: Array<number> = []
      for (let round = 0; round < 3 * 7; round++) {
        await Effect.runPromise(log.append(Array.from({ length: 10 }, () => change(at++))))
        few.push(await projecting(projection)())
      }
      few.sort((a, b) => a - b)
      const middle = few[few.length >> 1]!
      bench.heading(`10 new events on a key of ${count.toLocaleString("en-US")}, in memory`)
      bench.figure("with its state in memory", few, "ms")
      bench.figure("a full replay", replay, "ms")
      bench.ratio(
        "10 new events to a full replay",
        replay.map(() => middle),
        replay,
        { atMost: 0.001 }
      )
    })
  )
}

const five = async (bench: Bench): Promise<void> => {
  const log = await Effect.runPromise(memory)
  await Effect.runPromise(fill(log, 10_000))
  const definitions = Array.from({ length: 5 }, (_, n) => ({ ...accounts, name: `accounts ${n}` }))
  const makeAll = Effect.forEach(definitions, (definition) => Projection.make(definition, log, without))
  await using(makeAll, async (all) => {
    const [one] = all
    const samples = await interleave(
      { rounds: bench.pairs, parts: 3, warmUps: 2 },
      {
        five: () => millis(() => Effect.runPromise(Projection.projectAll(all, key))),
        one: projecting(one!)
      }
    )
    bench.heading("Five projections of one set of events, of a key of 10,000 in memory")
    bench.figure("projectAll", samples.five, "ms")
    bench.figure("one of them", samples.one, "ms")
    bench.ratio("five projections at once to one", samples.five, samples.one, { atMost: 2.5 })
  })
}

/** From the commit to the waiter, which the projection's fold of the new event is a part of. */
const waking = async (bench: Bench): Promise<void> => {
  const log = await Effect.runPromise(memory)
  await Effect.runPromise(fill(log, 10))
  await using(Projection.make(accounts, log), async (projection) => {
    await Effect.runPromise(projection.project(key))
    const woken: Array<number> = []
    for (let round = 0; round < 60; round++) {
      const revision = await Effect.runPromise(log.append([change(round)]))
      const took = await millis(() => Effect.runPromise(projection.awaitApplied(revision, "5 seconds")))
      if (round >= 10) woken.push(took)
    }
    bench.heading("A wait for what a projection has applied")
    bench.limit("awaitApplied wakes after the commit", woken, "ms", { atMost: 10 })
  })
}

const count = 10_000

const onSqlite = (bench: Bench): Promise<void> =>
  inTemporaryFile((filename) =>
    using(
      SqliteChangeLog.make<Projection.EventValue>({ filename, table: "events", keys: "indexed" }),
      async (log) => {
        await Effect.runPromise(fill(log, count))
        const file = new Sqlite(filename)
        file.exec(
          "CREATE TABLE plain (seq INTEGER PRIMARY KEY, key TEXT, kind TEXT, data TEXT); CREATE INDEX plain_keys ON plain (key, seq)"
        )
        const insert = file.prepare("INSERT INTO plain (key, kind, data) VALUES (?, ?, ?)")
        file.transaction(() => {
          for (let n = 0; n < count; n++) {
            const { data, kind } = eventAt(n)
            insert.run(key, kind, JSON.stringify(data))
          }
        })()
        const select = file.prepare("SELECT kind, data FROM plain WHERE key = ? ORDER BY seq")
        const loop = () => {
          const rows = select.all(key) as ReadonlyArray<{ readonly kind: string; readonly data: string }>
          return byHand(rows.map(({ data, kind }) => ({ kind, data: JSON.parse(data) })))
        }
        await using(Projection.make(accounts, log, without), async (projection) => {
          const samples = await interleave(
            { rounds: bench.pairs, warmUps: 2 },
            { replay: projecting(projection), loop: () => millis(loop) }
          )
          bench.heading(`A key of ${count.toLocaleString("en-US")} events in a SQLite file`)
          bench.figure("a full replay", samples.replay, "ms")
          bench.figure("an indexed SELECT, decode and loop by hand", samples.loop, "ms")
          bench.ratio("SQLite: the time by hand to that of a full replay", samples.loop, samples.replay, {
            atLeast: 0.6
          })
        })
        file.close()
      }
    )
  )

const onPostgres = async (bench: Bench, url: string, emmett: EventStore | undefined): Promise<void> => {
  const client = new Pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    "CREATE TABLE plain_events (key text, n bigint, kind text, data jsonb, PRIMARY KEY (key, n))"
  )
  const all = Array.from({ length: count }, (_, n) => eventAt(n))
  await client.query(
    "INSERT INTO plain_events SELECT $1, n, kind, data::jsonb FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS e (kind, data, n)",
    [key, all.map(({ kind }) => kind), all.map(({ data }) => JSON.stringify(data))]
  )
  for (const group of inGroups(all, 1000)) {
    await emmett?.append(
      key,
      group.map(({ data, kind }) => ({ type: kind, data: data as { amount: number } }))
    )
  }
  const loop = async () => {
    const { rows } = await client.query("SELECT kind, data FROM plain_events WHERE key = $1 ORDER BY n", [
      key
    ])
    return byHand(rows)
  }
  const peer = (): Promise<Account> =>
    emmett!.aggregate(key, initial, (state, { data, type }) =>
      apply(state, { kind: type, data: decoders.get(type)!(data) })
    )
  await using(
    PgChangeLog.make<Projection.EventValue>({ url: Redacted.make(url), table: "folded", keys: "indexed" }),
    async (log) => {
      await Effect.runPromise(fill(log, count))
      await client.query("ANALYZE")
      await using(Projection.make(accounts, log, without), async (projection) => {
        const expected = byHand(all)
        const found = Option.getOrThrow(await Effect.runPromise(projection.project(key)))
        if (found.balance !== expected.balance) throw new Error("the replay has another balance")
        const samples = await interleave(
          { rounds: bench.pairs, warmUps: 2 },
          {
            replay: projecting(projection),
            loop: () => millis(loop),
            emmett: emmett === undefined ? () => Number.NaN : () => millis(peer)
          }
        )
        bench.heading(`A key of ${count.toLocaleString("en-US")} events on Postgres`)
        bench.figure("a full replay", samples.replay, "ms")
        bench.figure("an indexed SELECT, decode and loop by hand", samples.loop, "ms")
        bench.ratio("Postgres: the time by hand to that of a full replay", samples.loop, samples.replay, {
          atLeast: 0.6
        })
        if (emmett === undefined) return
        bench.figure("aggregateStream of emmett, with the same decoders", samples.emmett, "ms")
        bench.ratio("the time of emmett to that of a full replay", samples.emmett, samples.replay, {
          atLeast: 1
        })
      })
    }
  )
  await client.end()
}

/** Folds in memory. */
export const memoryFolds = async (bench: Bench): Promise<void> => {
  await slotHits(bench)
  await inMemory(bench)
  await five(bench)
  await waking(bench)
  await incremental(bench)
}

/** Folds of events in databases. */
export const databaseFolds = async (
  bench: Bench,
  url: string,
  emmett: EventStore | undefined
): Promise<void> => {
  await onSqlite(bench)
  await onPostgres(bench, url, emmett)
}
