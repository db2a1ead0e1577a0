/** Peers of event logs, of shared stores and of pools: emmett and TinyBase. */
import { Effect, Redacted } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import { each, type Item } from "../cases/datastore.js"
import { emptyState, mergeInto, textOf, timed, valuesOf } from "../cases/mergePool.js"
import { eventAt, type Logged } from "../projection/events.js"
import { withDatabase } from "../support/database.js"
import type { Peers, StoredEvent, TinyChanges } from "../support/peers.js"
import { using } from "../support/recorders.js"
import { type Comparison, compare } from "./compare.js"

const appends = 100

let streams = 0

const microsEach = async (append: (stream: string, n: number) => Promise<unknown>): Promise<number> => {
  const stream = `customer-${++streams}`
  const start = performance.now()
  for (let n = 0; n < appends; n++) await append(stream, n)
  return ((performance.now() - start) * 1000) / appends
}

const stored = (n: number): StoredEvent => {
  const { data, kind } = eventAt(n)
  return { type: kind, data: data as StoredEvent["data"] }
}

const eventLogs = (comparison: Comparison, peers: Peers): Promise<void> =>
  withDatabase(({ url }) =>
    using(
      PgChangeLog.make<Logged>({ url: Redacted.make(url), table: "events", keys: "indexed" }),
      async (log) => {
        const emmett = await peers.makeEmmett(url)
        try {
          let version: bigint | undefined
          await compare(
            comparison,
            "an event appended to Postgres, if its stream is at the version expected, µs",
            {
              "ChangeLog.commit": () =>
                microsEach((key, n) =>
                  Effect.runPromise(
                    log.commit([
                      { changes: [ChangeLog.put(key, eventAt(n))], expect: [{ key, generation: n }] }
                    ])
                  )
                ),
              emmett: () =>
                microsEach(async (stream, n) => {
                  version = await emmett.append(stream, [stored(n)], n === 0 ? undefined : version)
                })
            },
            {
              emmett:
                "it orders the events of one stream; a ChangeLog orders all of them for its readers, too"
            },
            "ChangeLog.commit"
          )
        } finally {
          await emmett.close()
        }
      }
    )
  )

const sharedStores = (comparison: Comparison, peers: Peers): Promise<void> => {
  const open = Effect.gen(function* () {
    const stores = yield* Datastore.make(yield* Datastore.memory())
    return yield* stores.open<Item>({ id: "bench" })
  })
  return using(open, async (store) => {
    const tiny = peers.makeTinyBase("bench")
    tiny.listen(() => {})
    await compare(
      comparison,
      "a record set in a shared store, in bursts of 1,000, µs",
      {
        "Datastore unsafeSet": each(store.unsafeSet),
        "TinyBase setRow, listened to": each((item) => tiny.setRow("items", item.id, { ...item }))
      },
      {},
      "Datastore unsafeSet"
    )
  })
}

const rows = 10_000

const pools = async (comparison: Comparison, peers: Peers): Promise<void> => {
  const writer = peers.makeTinyBase("one")
  for (let i = 0; i < rows; i++) writer.setRow("rows", `row-${i}`, valuesOf(i))
  await compare(
    comparison,
    `the state of ${rows.toLocaleString("en-US")} rows merged, ms`,
    {
      MergePool: timed<Patch>(textOf(rows), () => (patch) => mergeInto(emptyState(), patch)),
      TinyBase: timed<TinyChanges>(
        JSON.stringify(writer.content()),
        () => peers.makeTinyBase("another").merge
      )
    },
    {},
    "MergePool"
  )
}

/** Measures emmett and TinyBase beside what does the same here. */
export const stores = async (comparison: Comparison, peers: Peers): Promise<void> => {
  await eventLogs(comparison, peers)
  await sharedStores(comparison, peers)
  await pools(comparison, peers)
}
