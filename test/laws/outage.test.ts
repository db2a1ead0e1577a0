/** An outage sets nothing aside: of any length, by whatever failure it shows, before or after the commit. */
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Random, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as Recorder from "../../src/Recorder.js"
import { StorageError } from "../../src/Storage.js"
import { ensure, ensureList, ensureSame } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { numbers } from "../support/recorder/account.js"
import { type Backend, backend } from "../support/recorder/backends.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"

/** Some look as if the data were bad, or the batch too large; `rule` is what a trigger says of each record. */
type Kind = "Transient" | "Unknown" | "none" | "rule" | "size"

interface Outage {
  /** Milliseconds. The backend is up for so long before it. */
  readonly after: number
  readonly lasts: number
  /** What the saves that end in it fail with, one after the other. */
  readonly kinds: ReadonlyArray<Kind>
  readonly commits: boolean
}

interface Sample {
  readonly outages: ReadonlyArray<Outage>
  /** Records that come at a time, in milliseconds from the beginning. */
  readonly bursts: ReadonlyArray<{ readonly at: number; readonly count: number }>
  readonly maxBatchSize: number
  /** Milliseconds that each save takes. */
  readonly takes: number
  readonly seed: number
}

/** Of all lengths from milliseconds to hours, as likely as each other. */
const millis = fc
  .double({ min: 0, max: Math.log(7_200_000), noNaN: true })
  .map((n) => Math.round(Math.exp(n)))

const sample: fc.Arbitrary<Sample> = fc.record({
  outages: fc.array(
    fc.record({
      // Long enough for what the last one has begun to end: the longest wait of the default schedule is 36 s.
      after: fc.integer({ min: 60_000, max: 100_000 }),
      lasts: millis,
      kinds: fc.array(fc.constantFrom<Kind>("Transient", "Unknown", "none", "rule", "size"), {
        minLength: 1,
        maxLength: 4
      }),
      commits: fc.boolean()
    }),
    { minLength: 1, maxLength: 3 }
  ),
  bursts: fc.array(
    fc.record({ at: fc.integer({ min: 0, max: 400_000 }), count: fc.integer({ min: 1, max: 40 }) }),
    { minLength: 1, maxLength: 12 }
  ),
  maxBatchSize: fc.integer({ min: 1, max: 40 }),
  takes: fc.integer({ min: 0, max: 30 }),
  seed: fc.integer()
})

const failure = (kind: Kind | undefined, commits: boolean): Effect.Effect<never, unknown> => {
  const outcome = commits ? "Unknown" : "NotStored"
  const message = "the backend is away"
  switch (kind) {
    case undefined:
    case "none":
      return Effect.die(new Error("no word for it"))
    case "rule":
      return Effect.fail(new StorageError({ kind: "Poison", blame: "either", outcome, message }))
    case "size":
      return Effect.fail(new StorageError({ kind: "Transient", blame: "size", outcome, message }))
    default:
      return Effect.fail(new StorageError({ kind, outcome, message }))
  }
}

/** A backend that is away in these outages, and refuses nothing. */
const flaky = ({ outages, takes }: Sample): Backend<number> => {
  const intervals: Array<Outage & { readonly from: number; readonly to: number }> = []
  let time = 0
  for (const outage of outages) {
    const from = time + outage.after
    time = from + outage.lasts
    intervals.push({ ...outage, from, to: time })
  }
  return backend<number>({
    save: (call) => {
      const end = call.at + takes
      const away = intervals.find(({ from, to }) => end >= from && end < to)
      if (away === undefined) return Effect.delay(call.commit, takes)
      const fails = failure(away.kinds[call.nth % away.kinds.length], away.commits)
      return Effect.delay(away.commits ? Effect.zipRight(call.commit, fails) : fails, takes)
    }
  })
}

const setsNothingAside = async (sample: Sample): Promise<void> => {
  const time = virtualTime()
  const runtime = runtimeIn(time)
  const storage = flaky(sample)
  // A property of fast-check is in promises: it opens, reads and closes between them.
  const scope = Effect.runSync(Scope.make())
  const recorder = Runtime.runSync(runtime)(
    Recorder.make(storage.storage, { maxBatchSize: sample.maxBatchSize }).pipe(
      Scope.extend(scope),
      Effect.withRandom(Random.make(sample.seed))
    )
  )
  let next = 0
  let now = 0
  for (const { at, count } of [...sample.bursts].sort((a, b) => a.at - b.at)) {
    await time.advance(at - now)
    now = at
    for (let i = 0; i < count; i++) recorder.unsafeSave(next++)
  }
  const closing = Runtime.runFork(runtime)(recorder.close)
  const all = sample.outages.reduce((sum, { after, lasts }) => sum + after + lasts, 0)
  await time.advance(all + 120_000)
  ensure(closing.unsafePoll() !== null, "when the backend is back all is stored")
  const { setAside, stats, unsaved } = await Effect.runPromise(Fiber.join(closing))
  ensureSame(setAside.length + unsaved.length, 0, "nothing is set aside, nothing is handed back")
  ensureSame(stats.stored, next, "all is stored")
  const held = [...storage.held].sort((a, b) => a - b)
  ensureList(held, numbers(next, 0), "the backend holds each record once")
  ensureSame(storage.overlaps(), 0, "one attempt is under way at a time")
  await Effect.runPromise(Scope.close(scope, Exit.void))
}

describe("an outage", () => {
  it.live(
    "A16: sets nothing aside, of any length and any kind of error, whenever it begins and ends",
    () => holdsSeeded("an outage sets nothing aside", sample, 100, setsNothingAside),
    seededTimeout
  )
})
