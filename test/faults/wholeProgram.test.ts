/**
 * A program with all parts over one SQLite file, which is ended under load. What was acknowledged is there, what was accepted
 * and is not there is handed back, and nothing is left running.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope } from "effect"
import type { EventValue } from "../../src/Projection.js"
import { runs } from "../support/laws/laws.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import { openPlain, tempFile } from "../support/sqlite/sqlite.js"
import type { ProgramSetting } from "./processes/programChild.js"
import {
  type HandedBack,
  type Item,
  Log,
  Pools,
  program,
  Stores,
  strategies
} from "./processes/programParts.js"

let script: string
// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/processes/programChild.ts"), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** The loads, and whether what they acknowledge is committed by then. */
const loads = {
  plain: false,
  durable: true,
  insert: true,
  unsafe: false,
  log: true,
  projection: true,
  "memory-store": false,
  "flushed-store": true,
  "memory-pool": false,
  "flushed-pool": true
} as const

type Load = keyof typeof loads
const allLoads = Object.keys(loads) as ReadonlyArray<Load>

/** The words behind a beginning, of each line that has it. */
const wordsOf = ({ lines }: Child, beginning: string): ReadonlyArray<ReadonlyArray<string>> =>
  lines
    .filter((line) => line.startsWith(`${beginning} `))
    .map((line) => line.slice(beginning.length + 1).split(" "))

const numbersOf = (child: Child, beginning: string): ReadonlyArray<number> =>
  wordsOf(child, beginning).map(([n]) => Number(n))

/** What the file holds: numbers by their loads, in the order of their commits where that is known. */
type Stored = { readonly [L in Load]: ReadonlyArray<number> }

const numbersOfEvents = (events: ReadonlyArray<EventValue>): ReadonlyArray<number> =>
  events.map(({ data }) => (data as { readonly n: number }).n)

/** Reads the file by the same program, as soon as it is free. */
const readStored = (
  filename: string,
  isFree: "at once" | "after the lease"
): Effect.Effect<Stored, unknown> =>
  Effect.gen(function* () {
    const db = yield* openPlain(filename)
    const rowsOf = (table: string, load: string) =>
      db.prepare(`SELECT id FROM ${table} WHERE load = ? ORDER BY rowid`).pluck().all(load) as Array<number>
    const { head, read } = yield* Log
    const { floor } = yield* head
    const revisions = yield* read({ after: floor, limit: 100_000 })
    const eventsOf = (key: string) =>
      numbersOfEvents(
        revisions.flatMap(({ events }) =>
          events.flatMap((event) => (event._tag === "Put" && event.key === key ? [event.value] : []))
        )
      )
    const stores = yield* Stores
    const pools = yield* Pools
    const opened = <A, E extends { readonly reason: string }, R>(open: Effect.Effect<A, E, R>) =>
      isFree === "at once"
        ? open
        : Effect.retry(open, { schedule: Schedule.spaced(50), while: ({ reason }) => reason === "Owned" })
    const ofStore = (ack: "memory" | "flushed") =>
      Effect.gen(function* () {
        const store = yield* opened(stores.open<Item>({ id: `${ack}-store`, kind: "permanent", ack }))
        return (yield* store.snapshot()).rows.map(({ data }) => data.n)
      })
    const ofPool = (ack: "memory" | "flushed") =>
      Effect.gen(function* () {
        const pool = yield* opened(pools.open({ id: `${ack}-pool`, kind: "permanent", ack, strategies }))
        return (yield* pool.state()).rows.map(([key]) => Number(key))
      })
    return {
      plain: rowsOf("trail", "plain"),
      durable: rowsOf("trail", "durable"),
      insert: rowsOf("prices", "insert"),
      unsafe: rowsOf("prices", "unsafe"),
      log: eventsOf("log"),
      projection: eventsOf("decided"),
      "memory-store": yield* ofStore("memory"),
      "flushed-store": yield* ofStore("flushed"),
      "memory-pool": yield* ofPool("memory"),
      "flushed-pool": yield* ofPool("flushed")
    }
  }).pipe(
    Effect.provide(program({ filename, closeDeadline: 10_000, onClosed: () => Effect.void })),
    Effect.scoped
  )

const handedBackBy = (child: Child): HandedBack =>
  wordsOf(child, "handed back").flatMap(([, json = ""]) => JSON.parse(json) as HandedBack)

/** Those that are not among the others. */
const without = (numbers: ReadonlyArray<number>, others: ReadonlyArray<number>): ReadonlyArray<number> => {
  const known = new Set(others)
  return numbers.filter((n) => !known.has(n))
}

const among = (numbers: ReadonlyArray<number>, others: ReadonlyArray<number>): ReadonlyArray<number> => {
  const known = new Set(others)
  return numbers.filter((n) => known.has(n))
}

/** Holds what a load was told against what is stored. Returns what was handed back of it. */
const checkLoad = (child: Child, load: Load, stored: ReadonlyArray<number>, setting: Setting) => {
  const sent = numbersOf(child, `sent ${load}`)
  const kept = numbersOf(child, `kept ${load}`)
  const refused = wordsOf(child, `refused ${load}`).map(([n, outcome]) => ({ n: Number(n), outcome }))
  const back = handedBackBy(child).filter(({ n }) => sent.includes(n))
  const notStored = [...refused, ...back].filter(({ outcome }) => outcome === "NotStored").map(({ n }) => n)
  const answered = [...kept, ...refused.map(({ n }) => n)]
  const unanswered = without(sent, answered)
  expect({
    load,
    doubled: stored.length - new Set(stored).size,
    unknown: without(stored, sent),
    lost: without(kept, loads[load] ? stored : [...stored, ...back.map(({ n }) => n)]),
    "stored though it is not": among(notStored, stored),
    // A load that is interrupted has no answer to its last write.
    unanswered: unanswered.length > (setting.load === "ends first" ? 1 : 0) ? unanswered : [],
    read: numbersOf(child, `lost ${load}`)
  }).toEqual({
    load,
    doubled: 0,
    unknown: [],
    lost: [],
    "stored though it is not": [],
    unanswered: [],
    read: []
  })
  return back.length
}

/** The followers, and how each ends. */
const followers = {
  watch: "Closed",
  table: "Closed",
  projection: "Log",
  "memory-store": "Closed",
  "flushed-store": "Closed",
  "memory-pool": "Closed",
  "flushed-pool": "Closed"
}

/** Followers saw what is stored, and the watch saw it without gaps from where it began. */
const checkSeen = (child: Child, stored: Stored): void => {
  for (const name of ["memory-store", "flushed-store", "memory-pool", "flushed-pool"] as const) {
    expect([name, without(numbersOf(child, `saw ${name}`), stored[name])]).toEqual([name, []])
  }
  expect(without(numbersOf(child, "saw table"), [...stored.insert, ...stored.unsafe])).toEqual([])
  const seen = numbersOf(child, "saw watch")
  for (const name of ["log", "projection"] as const) {
    const ofLoad = among(seen, stored[name])
    const begins = stored[name].indexOf(ofLoad[0] ?? Number.NaN)
    expect([name, ofLoad]).toEqual([name, stored[name].slice(begins, begins + ofLoad.length)])
  }
}

interface Setting extends Pick<ProgramSetting, "load"> {
  readonly by: "SIGTERM" | "its main program"
  /** `locked`: the file, by another process, until the program has ended; `slow`: until the parts are being closed. */
  readonly file: "free" | "slow" | "locked"
}

/** How long the parts may take to be closed, where nothing can be saved any more, in milliseconds. */
const shortDeadline = 400

const prove = (setting: Setting) =>
  Effect.gen(function* () {
    const { by, file, load } = setting
    const filename = yield* tempFile
    const savesAll = file !== "locked"
    const closeDeadline = savesAll ? 10_000 : shortDeadline
    const given: ProgramSetting = { filename, closeDeadline, load }
    const child = yield* startChild(script, JSON.stringify(given))
    yield* Effect.forEach(allLoads, (name) => child.said(`kept ${name} `, 10))
    const db = yield* openPlain(filename)
    if (file !== "free") {
      db.exec("BEGIN IMMEDIATE")
      // What is accepted waits by now.
      yield* child.said("kept memory-store", numbersOf(child, "kept memory-store").length + 3)
    }
    child.kill(by === "SIGTERM" ? "SIGTERM" : "SIGUSR2")
    yield* child.said("closing")
    if (file === "slow") db.exec("ROLLBACK")
    const { code, signal } = yield* child.ended
    if (file === "locked") db.exec("ROLLBACK")
    expect({ code, signal }).toEqual({ code: 0, signal: null })
    expect(child.lines.at(-1)).toBe("left 0 fibers, 0 timers")
    const stored = yield* readStored(filename, savesAll ? "at once" : "after the lease")
    const back = allLoads.map((name) => checkLoad(child, name, stored[name], setting))
    checkSeen(child, stored)
    if (savesAll) expect(back).toEqual(allLoads.map(() => 0))
    else expect(handedBackBy(child).length).toBeGreaterThan(0)
    if (savesAll) {
      const overs = Object.fromEntries(wordsOf(child, "over"))
      expect(overs).toEqual(followers)
    }
  })

/** As many processes at once as there are cores to test on. */
const two = Effect.unsafeMakeSemaphore(2)

const settings: ReadonlyArray<Setting> = [
  { by: "its main program", file: "free", load: "ends first" },
  { by: "SIGTERM", file: "free", load: "goes on" },
  { by: "SIGTERM", file: "slow", load: "goes on" },
  { by: "its main program", file: "locked", load: "goes on" },
  { by: "SIGTERM", file: "locked", load: "ends first" }
]

const words = ({ by, file, load }: Setting): string => `by ${by}, its file ${file}, under load that ${load}`

describe.concurrent("a program with all parts that is ended", () => {
  for (const setting of settings) {
    it.scopedLive(
      `${words(setting)}: keeps or hands back all of it, and leaves nothing running`,
      () =>
        two.withPermits(1)(
          Effect.forEach(Array.from({ length: runs(1) }), () => Effect.scoped(prove(setting)), {
            discard: true
          })
        ),
      60_000 * runs(1)
    )
  }
})
