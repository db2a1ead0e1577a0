/** What is handed back when a deadline ends a close: how late it is, and how long the event loop is held up. */
import { Effect, Logger, LogLevel } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { StorageError } from "../../../src/Storage.js"
import { type Bench, type Case, collect } from "../support/bench.js"
import { turn, using } from "../support/recorders.js"
import { longestStall } from "../support/stalls.js"

interface Small {
  readonly id: number
}

/** Milliseconds until the deadline. */
const deadline = 200

const counts = [100_000, 1_000_000, 3_000_000]

const failure = new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no such table" })

// The recorder warns of so many pending records, rightly.
const quiet = Logger.withMinimumLogLevel(LogLevel.None)

const storageOf = (save: Effect.Effect<never, StorageError>) => ({
  save: (_: ReadonlyArray<Small>) => save,
  load: () => Effect.void
})

interface Found {
  readonly stall: number
  readonly late: number
}

/** A recorder whose saves end like this, and what it has to do when it is closed. */
interface Subject {
  readonly save: Effect.Effect<never, StorageError>
  readonly fill: (recorder: Recorder.Recorder<Small>) => Promise<void>
  /** Milliseconds that the close may take, by its deadline; none: it is over at once. */
  readonly within: number | undefined
}

const pending = async (recorder: Recorder.Recorder<Small>, count: number): Promise<void> => {
  for (let id = 0; id < count; id++) recorder.unsafeSave({ id })
}

/** Takes the time of the close alone, and looks at the event loop until nobody waits any more. */
const closing = ({ fill, save, within }: Subject): Promise<Found> =>
  using(quiet(Recorder.make(storageOf(save))), async (recorder) => {
    await fill(recorder)
    await turn()
    await turn()
    collect()
    let late = 0
    const stall = await longestStall(async () => {
      const begun = performance.now()
      const report = await Effect.runPromise(
        within === undefined ? recorder.close : recorder.closeWithin(within)
      )
      late = performance.now() - begun - (within ?? 0)
      const { handedBack, pending } = report.stats
      if (pending !== 0 || report.unsaved.length !== handedBack) throw new Error("the account does not hold")
      // Those who are told later run in these turns.
      for (let turns = 0; turns < 500; turns++) await turn()
    })
    return { stall, late }
  })

const several = async (bench: Bench, what: string, subject: Subject): Promise<void> => {
  const found: Array<Found> = []
  for (let round = 0; round < (bench.quick ? 2 : 5); round++) found.push(await closing(subject))
  const stalls = found.map(({ stall }) => stall)
  const late = found.map(({ late }) => late)
  bench.limit(`${what}: longest stall`, stalls, "ms", { atMost: 20 })
  bench.limit(`${what}: beyond the deadline`, late, "ms", { atMost: 100 })
}

/** Durable saves, all of them waiting for their outcome. */
const waiting = async (recorder: Recorder.Recorder<Small>, count: number): Promise<void> => {
  for (let id = 0; id < count; id++) {
    Effect.runFork(Effect.exit(recorder.saveDurable({ id })))
    if (id % 1000 === 999) await turn()
  }
  while (recorder.unsafeStats().accepted < count) await turn()
}

export const close: Case = {
  name: "close",
  about: "a close that hands back 100,000 to 3,000,000 records at its deadline",
  run: async (bench) => {
    const idle: Array<number> = []
    for (let round = 0; round < 3; round++) {
      idle.push(await longestStall(() => new Promise((resolve) => setTimeout(resolve, deadline))))
    }
    bench.figure("the longest stall while nothing happens", idle, "ms")
    bench.heading(`A storage that hangs, closeWithin(${deadline} ms)`)
    for (const count of counts) {
      await several(bench, `${count.toLocaleString("en-US")} pending`, {
        save: Effect.never,
        fill: (recorder) => pending(recorder, count),
        within: deadline
      })
    }
    await several(bench, "100,000 durable saves that wait", {
      save: Effect.never,
      fill: (recorder) => waiting(recorder, 100_000),
      within: deadline
    })
    bench.heading("A storage that ignores its interruption: 50 ms of the time beyond are its grace")
    await several(bench, "3,000,000 pending, no interruption", {
      save: Effect.uninterruptible(Effect.never),
      fill: (recorder) => pending(recorder, 3_000_000),
      within: deadline
    })
    bench.heading("A recorder that has failed, closed later")
    await several(bench, "3,000,000 pending, failed", {
      save: Effect.fail(failure),
      fill: (recorder) => pending(recorder, 3_000_000),
      within: undefined
    })
  }
}
