/**
 * A recorder with a bound of 64 MiB whose backend is away for ten minutes under 5,000 records a second, comes back, and
 * is away again: in virtual time, with a heap of its own to measure. Run with --expose-gc and a policy; prints JSON.
 */
import { Effect, Exit, Runtime, Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { StorageError } from "../../../src/Storage.js"
import { metricValuesOf } from "../../support/recorder/watching.js"
import { runtimeIn, virtualTime } from "../../support/time/virtualTime.js"

/** What it prints. */
export interface Figures {
  readonly offered: number
  /** Calls that said true. */
  readonly taken: number
  /** Records that the storage got, and whether in the order of their calls. */
  readonly stored: number
  readonly inOrder: boolean
  readonly unsaved: number
  /** MiB of heap above what it was before the outage, after a collection. */
  readonly growth: number
  /** The most of `pendingBytes`, in MiB. */
  readonly maxBytes: number
  readonly stats: Recorder.Stats
  /** Records pending a minute after the backend has come back. */
  readonly pendingBetween: number
  readonly metrics: { readonly [name: string]: unknown }
  readonly outages: ReadonlyArray<{ readonly from: number; readonly to: number }>
  readonly seconds: number
}

interface Entry {
  readonly id: number
  readonly note: string
}

const bound = 64 * 2 ** 20
const tickMillis = 100
const recordsOfTick = 500
const noteLength = 200

/** What V8 spends: an object of two fields, and a flat string of one byte a character. */
const sizeOf = ({ note }: Entry): number => 48 + 16 + note.length

const overflow = process.argv[2] as Recorder.Overflow
const gc = globalThis.gc
if (gc === undefined) throw new Error("run it with --expose-gc")

const heap = (): number => {
  gc()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

// Each record needs a string of its own: `repeat` and slices would share one.
const text = Buffer.alloc(noteLength, "an audited request ")
const entry = (id: number): Entry => ({ id, note: text.toString("latin1") })

let away = false
let stored = 0
let lastStored = -1
let inOrder = true
const storage = {
  save: (batch: ReadonlyArray<Entry>) =>
    Effect.suspend(() => {
      if (away)
        return Effect.fail(new StorageError({ kind: "Transient", outcome: "NotStored", message: "away" }))
      stored += batch.length
      for (const { id } of batch) {
        inOrder &&= id > lastStored
        lastStored = id
      }
      return Effect.sleep(10)
    }),
  load: () => Effect.void
}

const time = virtualTime()
const run = Runtime.runSync(runtimeIn(time))
const scope = run(Scope.make())
const recorder = run(
  Scope.extend(
    Recorder.make<Entry, never, void>(storage, {
      name: "bounded",
      bound: { bytes: bound, sizeOf, overflow }
    }),
    scope
  )
)

let offered = 0
let taken = 0
let maxBytes = 0
let maxHeap = 0

/** So many seconds under load. */
const load = async (seconds: number): Promise<void> => {
  for (let tick = 0; tick < (seconds * 1000) / tickMillis; tick++) {
    for (let i = 0; i < recordsOfTick; i++) if (recorder.unsafeSave(entry(offered++))) taken++
    await time.advance(tickMillis)
    maxBytes = Math.max(maxBytes, recorder.unsafeStats().pendingBytes)
    if (tick % 300 === 299) maxHeap = Math.max(maxHeap, heap())
  }
}

const began = performance.now()
const outages: Array<{ from: number; to: number }> = []
const outage = async (seconds: number): Promise<void> => {
  const from = time.clock.unsafeCurrentTimeMillis()
  away = true
  await load(seconds)
  away = false
  outages.push({ from, to: time.clock.unsafeCurrentTimeMillis() })
}

await load(10)
const before = heap()
await outage(600)
await load(60)
const between = recorder.unsafeStats()
await outage(120)
const closing = Runtime.runPromise(runtimeIn(time))(recorder.close)
await time.advance(120_000)
const { stats, unsaved } = await closing
const figures: Figures = {
  offered,
  taken,
  stored,
  inOrder,
  unsaved: unsaved.length,
  growth: (maxHeap - before) / 2 ** 20,
  maxBytes: maxBytes / 2 ** 20,
  stats,
  pendingBetween: between.pending,
  metrics: run(metricValuesOf("bounded")),
  outages,
  seconds: (performance.now() - began) / 1000
}
console.log(JSON.stringify(figures))
await Effect.runPromise(Scope.close(scope, Exit.void))
