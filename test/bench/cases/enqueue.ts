/** What `unsafeSave` costs beside the bare array push, in time and in memory. */
import { Effect, Logger, LogLevel } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { memory } from "../../../src/Storage.js"
import { callbackQueue } from "../baselines/array.js"
import { type Bench, type Case, collect, interleave } from "../support/bench.js"
import { nowhere, settled, turn, using, withRecorder } from "../support/recorders.js"

interface Small {
  readonly id: number
  readonly at: number
  readonly what: string
}

const burst = 10_000

const now = (): number => performance.now() * 1e6

const make = (id: number): Small => ({ id, at: id, what: "order.placed" })

/** Nanoseconds per record of one burst; what follows it is not timed. */
const timed = async (push: () => void, after: () => Promise<void>): Promise<number> => {
  const start = now()
  push()
  const took = now() - start
  await after()
  return took / burst
}

const ready = Array.from({ length: burst }, (_, id) => make(id))

// Keeps an array alive, so that pushing to it is not optimised away.
const kept: { items: ReadonlyArray<Small> } = { items: [] }

const calls = async (bench: Bench): Promise<void> => {
  await withRecorder(nowhere<Small>(), {}, async (recorder) => {
    const save = recorder.unsafeSave
    const drained = () => settled(recorder)
    const samples = await interleave(
      { rounds: bench.pairs, parts: 101 },
      {
        array: () =>
          timed(() => {
            const items: Array<Small> = []
            for (let id = 0; id < burst; id++) items.push(make(id))
            kept.items = items
          }, turn),
        recorder: () =>
          timed(() => {
            for (let id = 0; id < burst; id++) save(make(id))
          }, drained),
        readyArray: () =>
          timed(() => {
            const items: Array<Small> = []
            for (let id = 0; id < burst; id++) items.push(ready[id]!)
            kept.items = items
          }, turn),
        readyRecorder: () =>
          timed(() => {
            for (let id = 0; id < burst; id++) save(ready[id]!)
          }, drained)
      }
    )
    bench.heading("A burst of 10,000 saves: the calls alone")
    bench.figure("array push, the record made by the caller", samples.array, "ns/record")
    bench.figure("unsafeSave, the record made by the caller", samples.recorder, "ns/record")
    bench.ratio("unsafeSave to array push", samples.recorder, samples.array, { atMost: 1.5 })
    bench.figure("array push, of records made before", samples.readyArray, "ns/record")
    bench.figure("unsafeSave, of records made before", samples.readyRecorder, "ns/record")
    bench.ratio(
      "unsafeSave to array push, without making the record",
      samples.readyRecorder,
      samples.readyArray
    )
  })
}

const throughTheDrain = async (bench: Bench): Promise<void> => {
  let storage = memory<Small>()
  let parts: Array<ReadonlyArray<Small>> = []
  const queue = callbackQueue<Small>((batch) => parts.push(batch))
  const whole = async (push: () => void, drained: () => Promise<void>): Promise<number> => {
    const start = now()
    push()
    await drained()
    return (now() - start) / burst
  }
  const queueDrained = async () => {
    while (queue.pending() > 0) await turn()
  }
  const inMemory = { save: (batch: ReadonlyArray<Small>) => storage.save(batch), load: () => Effect.void }
  await withRecorder(inMemory, {}, async (recorder) => {
    const save = recorder.unsafeSave
    const drained = () => settled(recorder)
    const begin = () => {
      storage = memory()
      parts = []
    }
    const samples = await interleave(
      { rounds: bench.pairs, parts: 51, begin },
      {
        array: () =>
          whole(() => {
            for (let id = 0; id < burst; id++) queue.push(make(id))
          }, queueDrained),
        recorder: () =>
          whole(() => {
            for (let id = 0; id < burst; id++) save(make(id))
          }, drained),
        readyArray: () =>
          whole(() => {
            for (let id = 0; id < burst; id++) queue.push(ready[id]!)
          }, queueDrained),
        readyRecorder: () =>
          whole(() => {
            for (let id = 0; id < burst; id++) save(ready[id]!)
          }, drained)
      }
    )
    bench.heading("A burst of 10,000 until all of it is in memory")
    bench.figure("array with a callback, records made by the caller", samples.array, "ns/record")
    bench.figure("Recorder, records made by the caller", samples.recorder, "ns/record")
    bench.ratio("with the drain", samples.recorder, samples.array, { atMost: 2 })
    bench.figure("array with a callback, records made before", samples.readyArray, "ns/record")
    bench.figure("Recorder, records made before", samples.readyRecorder, "ns/record")
    bench.ratio("with the drain, without making the record", samples.readyRecorder, samples.readyArray)
  })
}

/** Bytes per call that stay in the heap, and bytes per call that were allocated on the way. */
const heapOf = (count: number, push: () => void): { readonly retained: number; readonly used: number } => {
  collect()
  const before = process.memoryUsage().heapUsed
  push()
  const after = process.memoryUsage().heapUsed
  collect()
  const settledAt = process.memoryUsage().heapUsed
  return { retained: (settledAt - before) / count, used: (after - before) / count }
}

const inHeap = async (bench: Bench): Promise<void> => {
  const many = 500_000
  const few = 50_000
  const ready = Array.from({ length: many }, (_, id) => make(id))
  const never = Recorder.makeDeferred(Effect.never as Effect.Effect<ReturnType<typeof nowhere<Small>>>)
  // The recorder warns of so many pending records, rightly.
  const quiet = Logger.withMinimumLogLevel(LogLevel.None)
  const array = (count: number) => {
    const items: Array<Small> = []
    for (let i = 0; i < count; i++) items.push(ready[i]!)
    kept.items = items
  }
  const onRecorder = (count: number) =>
    using(quiet(never), async (recorder) => {
      const save = recorder.unsafeSave
      const result = heapOf(count, () => {
        for (let i = 0; i < count; i++) save(ready[i]!)
      })
      await Effect.runPromise(recorder.closeWithin(0))
      return result
    })
  // The first calls compile.
  for (let i = 0; i < 5; i++) await onRecorder(few)
  const retained = { array: [] as Array<number>, recorder: [] as Array<number> }
  const used = { array: [] as Array<number>, recorder: [] as Array<number> }
  for (let i = 0; i < 5; i++) {
    kept.items = []
    retained.array.push(heapOf(many, () => array(many)).retained)
    kept.items = []
    retained.recorder.push((await onRecorder(many)).retained)
    used.array.push(heapOf(few, () => array(few)).used)
    kept.items = []
    used.recorder.push((await onRecorder(few)).used)
  }
  bench.heading("Memory: 500,000 records that wait for a storage")
  bench.figure("array, bytes that stay", retained.array, "bytes/record")
  bench.figure("queue, bytes that stay", retained.recorder, "bytes/record")
  bench.limit("queue overhead per queued record", retained.recorder, "bytes", { atMost: 16 })
  bench.note(
    "No object per record: the smallest closure or wrapper takes 32 bytes, a promise 48, a fiber 500 and more."
  )
  bench.figure("array, bytes allocated while it grows", used.array, "bytes/record")
  bench.figure("queue, bytes allocated while it grows", used.recorder, "bytes/record")
  bench.ratio("allocated by unsafeSave to allocated by array push", used.recorder, used.array, {
    atMost: 1.5
  })
}

export const enqueue: Case = {
  name: "enqueue",
  about: "unsafeSave in a burst: time and memory, to a bare array push",
  run: async (bench) => {
    await calls(bench)
    await throughTheDrain(bench)
    await inHeap(bench)
  }
}
