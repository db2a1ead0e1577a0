/** Events of a few kinds, read by the index of a log in memory. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { type Bench, interleave } from "../support/bench.js"
import { entriesOf, type Logged } from "./events.js"

const count = 100_000

const filled = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Logged>({
    keys: "indexed",
    maxRevisions: 2 * count,
    maxBytes: Number.MAX_SAFE_INTEGER
  })
  yield* log.commit(entriesOf(count, 1000))
  return log
})

/** Reads all that a page at a time gives, and counts the events. */
const scanned = (log: ChangeLog.ChangeLog<Logged>, kinds: ReadonlyArray<string> | undefined) =>
  Effect.gen(function* () {
    const { head } = yield* log.head
    let events = 0
    let after = ChangeLog.start(head.epoch)
    while (after.seq < head.seq) {
      const { reached, revisions } = yield* log.index!.scan({ after, limit: 500, kinds })
      events += revisions.length
      after = reached
    }
    return events
  })

const millis =
  (log: ChangeLog.ChangeLog<Logged>, kinds: ReadonlyArray<string> | undefined, expected: number) =>
  async (): Promise<number> => {
    const start = performance.now()
    const found = await Effect.runPromise(scanned(log, kinds))
    const took = performance.now() - start
    if (found !== expected) throw new Error(`${found} events instead of ${expected}`)
    return took
  }

/** One kind in a hundred, to all of them. */
export const kinds = async (bench: Bench): Promise<void> => {
  const log = await Effect.runPromise(filled)
  const samples = await interleave(
    { rounds: bench.pairs },
    { some: millis(log, ["renamed"], count / 100), all: millis(log, undefined, count) }
  )
  bench.heading(`${count.toLocaleString("en-US")} events in memory, of which 1 % are of one kind`)
  bench.figure("reading that kind", samples.some, "ms")
  bench.figure("reading all", samples.all, "ms")
  bench.ratio("the events of one kind in a hundred to a full pass", samples.some, samples.all, {
    atMost: 0.1
  })
}
