/** How long events of a log keep the event loop busy, in front of many warm lists. */
import { Effect, Stream } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Table from "../../../src/Table.js"
import * as Watch from "../../../src/Watch.js"
import { type Bench, collect } from "../support/bench.js"
import {
  accountOf,
  idOf,
  type Key,
  type Keys,
  keys,
  type LiveKeys,
  makeKeys,
  pageOf,
  remote
} from "../support/keys.js"
import { turn, using } from "../support/recorders.js"
import { longestStall } from "../support/stalls.js"

const unbounded = { concurrency: "unbounded", discard: true } as const

const events = 10_000
const lists = 1_000

/** Two keys of each account. */
const rows = makeKeys(2 * lists, lists)

const listOf = (account: number) => pageOf(account, 10)

/** A master that finds the keys of an account by an index, so that its own work is no stall. */
const indexed = Table.make(keys, {
  list: ({ where }) => {
    const account = where?.op === "eq" ? String(where.value) : ""
    const at = Number(account.slice(accountOf(0).length - 1))
    return Effect.sync(() => ({ value: [rows[at]!, rows[at + lists]!] }))
  },
  getMany: () => Effect.succeed({ value: [] }),
  count: () => Effect.succeed({ value: rows.length }),
  write: () => Effect.succeed([])
})

interface Changing {
  readonly live: LiveKeys
  /** Appends the events, a hundred a turn, and waits until the live table has applied them. */
  readonly change: () => Promise<void>
}

/** Patches of keys that the lists hold. */
const patchesFrom = (from: number): ReadonlyArray<ChangeLog.Change<Table.TableChange>> =>
  Array.from({ length: 100 }, (_, i) => {
    const row: Key = { ...rows[(from + i) % rows.length]!, uses: from + i }
    return ChangeLog.put(Table.keyOf(keys, row.id), { op: "Updated", columns: ["uses"], row: { ...row } })
  })

const opened = (options: LiveTable.Options<Keys> = {}) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const changes = yield* Watch.make(log)
    const live = yield* LiveTable.make(remote(yield* indexed).table, { changes, ...options })
    const reach = (atLeast: ChangeLog.Revision) => live.get(idOf(0), { atLeast })
    // What is read before the log is reached is suspect afterwards.
    yield* reach((yield* log.head).head)
    for (let account = 0; account < lists; account++) yield* live.list(listOf(account))
    const change = async (): Promise<void> => {
      for (let from = 0; from < events; from += 100) {
        await Effect.runPromise(log.append(patchesFrom(from)))
        await turn()
      }
      await Effect.runPromise(Effect.flatMap(log.head, ({ head }) => reach(head)))
    }
    return { live, change }
  })

/** Reads lists, ten a turn, until it is stopped. */
const reading = (live: LiveKeys): (() => Promise<void>) => {
  let over = false
  const loop = (async () => {
    for (let n = 0; !over; n += 10) {
      const some = Array.from({ length: 10 }, (_, i) => live.list(listOf((n + i) % lists)))
      await Effect.runPromise(Effect.all(some, unbounded))
      await turn()
    }
  })()
  return () => {
    over = true
    return loop
  }
}

const untouched = ({ change }: Changing) => longestStall(change)

const read = ({ change, live }: Changing) =>
  longestStall(async () => {
    const stop = reading(live)
    await change()
    await stop()
  })

/** Every list has a follower, which reads it again after the changes. */
const followed = async ({ change, live }: Changing): Promise<number> => {
  let begun = 0
  const one = (account: number) =>
    Stream.runForEach(live.follow(listOf(account)), () => Effect.sync(() => begun++))
  const accounts = Array.from({ length: lists }, (_, account) => account)
  const following = Effect.runFork(Effect.forEach(accounts, one, unbounded))
  while (begun < lists) await turn()
  collect()
  const stall = await longestStall(async () => {
    await change()
    await new Promise((resolve) => setTimeout(resolve, 400))
  })
  await Effect.runPromise(following.interruptAsFork(following.id()))
  return stall
}

/** Stalls by events. */
export const stalls = async (bench: Bench): Promise<void> => {
  bench.heading("events of a log")
  for (const [what, measure] of [
    ["1,000 warm lists", untouched],
    ["1,000 warm lists that are read meanwhile", read],
    ["1,000 warm lists that are followed", followed]
  ] as const) {
    const samples: Array<number> = []
    const quiet: Array<number> = []
    for (let round = 0; round < (bench.quick ? 3 : 7); round++) {
      collect()
      quiet.push(await longestStall(() => new Promise((resolve) => setTimeout(resolve, 300))))
      samples.push(await using(opened(), measure))
    }
    bench.figure("the longest stall of 300 ms without work", quiet, "ms")
    bench.limit(`longest stall, 10,000 events against ${what}`, samples, "ms", { atMost: 20 })
  }
}
