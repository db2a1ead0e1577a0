/** Guards of what a recorder holds, of its time, and of its hand-back. */
import type { NamedMutant } from "../named.js"

const held = (name: string) => ({ file: "test/recorder/held.test.ts", name })
const clock = (name: string) => ({ file: "test/recorder/clock.test.ts", name })
const handBack = (name: string) => ({ file: "test/recorder/handBack.test.ts", name })

const released = "the oldest are released: counted, and held by nothing any more"
const intervals = "an interval of releases ends with a redrive, or after a minute without one"

/** What could not be stored and stays with the recorder. */
const holding: ReadonlyArray<NamedMutant> = [
  {
    name: "let what is redriven take no room",
    file: "src/internal/actor/batches.ts",
    find: "    intake.inFlight += batch.items.length\n    intake.inFlightBytes += sum",
    replace: "    intake.inFlightBytes += sum",
    test: held("redriven ones take room again, also beyond the bound")
  },
  {
    name: "hold without a bound",
    file: "src/internal/recorder/settlement.ts",
    find: "while (DeadLetters.size(deadLetters) + DeadLetters.size(sinkFailed) > maxHeld)",
    replace: "while (begun && DeadLetters.size(deadLetters) + DeadLetters.size(sinkFailed) > maxHeld)",
    test: held(released)
  },
  {
    name: "hold what no sink took without a bound",
    file: "src/internal/recorder/settlement.ts",
    find: "DeadLetters.size(deadLetters) + DeadLetters.size(sinkFailed) > maxHeld",
    replace: "DeadLetters.size(deadLetters) > maxHeld",
    test: held("the oldest that the sink refused are set aside instead of handed back")
  },
  {
    name: "release uncounted",
    file: "src/internal/actor/intake.ts",
    find: "  intake.released++\n",
    replace: "",
    test: held(released)
  },
  {
    name: "count as handed back what was released",
    file: "src/internal/recorder/settlement.ts",
    find: "      account.handedBack--\n",
    replace: "",
    test: held("the oldest that the sink refused are set aside instead of handed back")
  },
  {
    name: "report each release",
    file: "src/internal/actor/gaps.ts",
    find: 'return noteDrop(releases.gaps, "released", wall)',
    replace: 'noteDrop(releases.gaps, "released", wall)\n  return true',
    test: held(released)
  },
  {
    name: "release for ever in one interval",
    file: "src/internal/actor/gaps.ts",
    find: "  if (monotonic - releases.last >= quietMillis) closeGap(releases.gaps)\n",
    replace: "",
    test: held(intervals)
  },
  {
    name: "go on with an interval of releases after a redrive",
    file: "src/internal/recorder/settlement.ts",
    find: "  control.endReleases()\n",
    replace: "",
    test: held(intervals)
  },
  {
    name: "leave a release out of the statuses",
    file: "src/internal/actor/control.ts",
    find: "    if (begins) Engine.publish(engine)\n",
    replace: "",
    test: held(released)
  }
]

/** Durations, while the wall clock is set. */
const timing: ReadonlyArray<NamedMutant> = [
  {
    name: "linger by the wall clock",
    file: "src/internal/actor/engine.ts",
    find: "monotonic: () => monotonicMillis(clock)",
    replace: "monotonic: () => clock.unsafeCurrentTimeMillis()",
    test: clock("leaves a linger as long as it is, to the millisecond")
  },
  {
    name: "measure the oldest age by the wall clock",
    file: "src/internal/actor/batches.ts",
    find: "intake.monotonic() - since",
    replace: "intake.now() - since",
    test: clock("does not change the age of the oldest record, in flight or queued")
  },
  {
    name: "retry by the wall clock",
    file: "src/internal/time.ts",
    find: "Effect.withClock(made.next(input), time)",
    replace: "made.next(input)",
    test: clock("ends no retry schedule earlier or later")
  },
  {
    name: "end an interval of releases by the wall clock",
    file: "src/internal/actor/intake.ts",
    find: "noteRelease(intake.releases, intake.now(), intake.monotonic())",
    replace: "noteRelease(intake.releases, intake.now(), intake.now())",
    test: clock("ends no interval of releases")
  },
  {
    name: "suspect a log by the wall clock",
    file: "src/internal/watch/dispatcherState.ts",
    find: "millis: () => monotonicMillis(clock)",
    replace: "millis: () => clock.unsafeCurrentTimeMillis()",
    test: { file: "test/watch/health.test.ts", name: "makes nothing Suspect, and hides nothing that is" }
  },
  {
    name: "wait for a busy file by the wall clock",
    file: "src/sql/internal/errors.ts",
    find: "isBusy(error) && monotonicMillis(clock) < end",
    replace: "isBusy(error) && clock.unsafeCurrentTimeMillis() < end",
    test: { file: "test/sql/whileBusy.test.ts", name: "is waited for 10 seconds" }
  }
]

/** What is done for very many. */
const slicing: ReadonlyArray<NamedMutant> = [
  {
    name: "resume all waiters in one piece",
    file: "src/internal/slices.ts",
    find: "done <= maxPerSlice",
    replace: "done <= Number.POSITIVE_INFINITY",
    test: handBack("of a close are resumed in slices; the report waits for none of them")
  },
  {
    name: "forget the waiters behind the first slice",
    file: "src/internal/slices.ts",
    find: "      turn.schedule(slice)\n",
    replace: "",
    test: handBack("of a close are resumed in slices; the report waits for none of them")
  },
  {
    name: "make all that is handed back at once",
    file: "src/internal/lazyArray.ts",
    find: "length <= maxEager",
    replace: "length >= 0",
    test: {
      file: "test/internal/lazyArray.test.ts",
      name: "makes nothing until it is read, and then no more than must be"
    }
  },
  {
    name: "let a waiter into a closed intake",
    file: "src/internal/actor/intake.ts",
    find: "intake.waiters.size === 0 || !intake.open) return",
    replace: "intake.waiters.size === 0) return",
    test: {
      file: "test/actor/intake.test.ts",
      name: "of a closed intake: the waiting offers are refused at once, and resumed in slices"
    }
  }
]

export const recorderMutants: ReadonlyArray<NamedMutant> = [...holding, ...timing, ...slicing]
