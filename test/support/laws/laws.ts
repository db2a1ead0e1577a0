/**
 * Properties that run Effects. LAWS_RUNS multiplies the number of runs, also by less than 1; a failure prints its seed
 * and path, which fast-check takes to repeat it.
 */
import { Effect, Runtime } from "effect"
import fc from "fast-check"

const asked = Number(process.env.LAWS_RUNS ?? "1")
const factor = asked > 0 ? asked : 1

/** So many runs, times LAWS_RUNS. */
export const runs = (count: number): number => Math.ceil(count * factor)

/** LAWS_RUNS of `npm run test:long`. */
const longFactor = 34

/** So many runs, times LAWS_RUNS; in a long run so many as `long`, which is what `test:long` makes of the law. */
const runsOf = (count: number, long: number | undefined): number =>
  long === undefined || factor < longFactor ? runs(count) : Math.ceil((long * factor) / longFactor)

/** Whether a pure property holds for `count` samples. */
export const holds = <A>(arbitrary: fc.Arbitrary<A>, count: number, property: (sample: A) => void): void =>
  fc.assert(
    fc.property(arbitrary, (sample) => {
      property(sample)
    }),
    { numRuns: runs(count) }
  )

/** Whether a property that is an Effect holds for `count` samples, one after the other. */
export const holdsEffect = <A, E, R>(
  arbitrary: fc.Arbitrary<A>,
  count: number,
  property: (sample: A) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, never, R> =>
  Effect.flatMap(Effect.runtime<R>(), (runtime) =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(arbitrary, async (sample) => {
          await Runtime.runPromise(runtime)(property(sample))
        }),
        { numRuns: runs(count) }
      )
    )
  )

/** Milliseconds for a property of `holdsSeeded`, also in a long run on a busy machine. */
export const seededTimeout = runs(120_000)

/** Less than that, so that a failure is told although it could be shrunk further. */
const shrinkTimeout = runs(100_000)

/**
 * Whether a property in promises holds for `count` samples, or for `long` in a long run, one after the other. Says which
 * seed it took, so that a run can be repeated also when it passes, or never ends.
 */
export const holdsSeeded = <A>(
  law: string,
  arbitrary: fc.Arbitrary<A>,
  count: number,
  property: (sample: A) => Promise<void>,
  long?: number
): Effect.Effect<void> =>
  Effect.promise(async () => {
    const seed = fc.readConfigureGlobal().seed ?? Math.trunc(Math.random() * 2 ** 31)
    console.log(`${law}: seed ${seed}`)
    const begun = performance.now()
    const run = await fc.check(fc.asyncProperty(arbitrary, property), {
      numRuns: runsOf(count, long),
      seed,
      interruptAfterTimeLimit: shrinkTimeout,
      markInterruptAsFailure: true
    })
    const took = ((performance.now() - begun) / 1000).toFixed(1)
    console.log(`${law}: ${run.numRuns} schedules in ${took} s`)
    if (run.failed) throw new Error(await fc.asyncDefaultReportMessage(run))
  })
