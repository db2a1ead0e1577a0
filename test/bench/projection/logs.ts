/** What an index of the keys costs a log, and what a condition costs an append. */
import { Effect, Redacted } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import { type Bench, interleave } from "../support/bench.js"
import type { EventStore } from "../support/peers.js"
import { using } from "../support/recorders.js"
import { entriesOf, eventAt, inGroups, type Logged } from "./events.js"

type Log = ChangeLog.ChangeLog<Logged>

const open = (url: string, table: string, keys: "indexed" | "none") =>
  PgChangeLog.make<Logged>({ url: Redacted.make(url), table, keys })

const perSecond = async (count: number, work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (count * 1000) / (performance.now() - start)
}

const keys = 1000

const committing = (log: Log, size: number, count: number) => (): Promise<number> => {
  const groups = inGroups(entriesOf(count, keys), size)
  return perSecond(count, () =>
    Effect.runPromise(Effect.forEach(groups, (group) => log.commit(group), { discard: true }))
  )
}

const commits = async (bench: Bench, indexed: Log, plain: Log): Promise<void> => {
  for (const [size, count, atLeast] of [
    [1, 200, 0.8],
    [100, 4000, 0.5],
    [1000, 10_000, 0.4]
  ] as const) {
    const samples = await interleave(
      { rounds: bench.pairs },
      { indexed: committing(indexed, size, count), plain: committing(plain, size, count) }
    )
    bench.heading(`${count.toLocaleString("en-US")} events on Postgres, ${size} a commit`)
    bench.figure("a log with an index of its keys", samples.indexed, "events/s")
    bench.figure("a log without", samples.plain, "events/s")
    bench.ratio(`commits of ${size}, an indexed log to one without`, samples.indexed, samples.plain, {
      atLeast
    })
  }
}

let streams = 0

const conditions = async (bench: Bench, log: Log, emmett: EventStore | undefined): Promise<void> => {
  const count = 100
  const each = (make: (key: string, n: number) => ChangeLog.Entry<Logged>) => () => {
    const key = `customer/${++streams}`
    return perSecond(count, () =>
      Effect.runPromise(
        Effect.forEach(
          Array.from({ length: count }, (_, n) => make(key, n)),
          (entry) => log.commit([entry]),
          { discard: true }
        )
      )
    )
  }
  const peer = async (): Promise<number> => {
    const stream = `customer-${++streams}`
    let version = await emmett!.append(stream, [{ type: "deposited", data: { amount: 1 } }])
    return perSecond(count, async () => {
      for (let n = 0; n < count; n++) {
        version = await emmett!.append(stream, [{ type: "deposited", data: { amount: n } }], version)
      }
    })
  }
  const samples = await interleave(
    { rounds: bench.pairs },
    {
      conditional: each((key, n) => ({
        changes: [ChangeLog.put(key, eventAt(n))],
        expect: [{ key, generation: n }]
      })),
      plain: each((key, n) => ({ changes: [ChangeLog.put(key, eventAt(n))] })),
      emmett: emmett === undefined ? () => Number.NaN : peer
    }
  )
  bench.heading("Appends of one event on Postgres, one after the other")
  bench.figure("with the generation that its key must have", samples.conditional, "events/s")
  bench.figure("without a condition", samples.plain, "events/s")
  bench.ratio("a conditional append to a plain one", samples.conditional, samples.plain, { atLeast: 0.35 })
  if (emmett === undefined) return
  bench.figure("emmett, with the version expected", samples.emmett, "events/s")
  bench.ratio("a conditional append to one of emmett", samples.conditional, samples.emmett, { atLeast: 2 })
}

/** Appends to logs on Postgres. */
export const logs = (bench: Bench, url: string, emmett: EventStore | undefined): Promise<void> =>
  using(open(url, "plain_log", "none"), (plain) =>
    using(open(url, "indexed_log", "indexed"), async (indexed) => {
      await commits(bench, indexed, plain)
      await conditions(bench, indexed, emmett)
    })
  )
