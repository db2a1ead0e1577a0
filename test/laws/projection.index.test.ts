/** The cost of a key: it is that of its own events, however many others the log has. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { runs } from "../support/laws/laws.js"
import { changeOf, definitions, inWords, type Value } from "./projection/definitions.js"

/** 1,000,000 in a long run. */
const total = runs(1) >= 10 ? 1_000_000 : 100_000
const own = 10

/** A log of so many events of other keys, among which the events of one key stand. */
const fullLog = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Value>({
    keys: "indexed",
    maxRevisions: total,
    maxBytes: 1_000 * total
  })
  const every = total / own
  for (let n = 1; n <= total; n++) {
    const key = n % every === 0 ? "rare" : `key ${n % 1_000}`
    yield* log.append([changeOf(key, "Added", n)])
  }
  return log
})

describe("projections of a long log", () => {
  it.scopedLive(
    "P8: a key of 10 events is folded by reading its 10",
    () =>
      Effect.gen(function* () {
        const log = yield* fullLog
        const index = log.index as ChangeLog.KeyIndex<Value>
        let calls = 0
        let read = 0
        const counted: typeof log = {
          ...log,
          read: () => Effect.die("the log is read from its beginning"),
          index: {
            ...index,
            history: (key, options) =>
              Effect.tap(index.history(key, options), ({ events }) => {
                calls++
                read += events.length
                return Effect.void
              }),
            scan: () => Effect.die("the log is searched")
          }
        }
        const projection = yield* Projection.make(definitions.on[0], counted)
        const state = yield* projection.project("rare")
        const numbers = Array.from({ length: own }, (_, n) => ((n + 1) * total) / own)
        expect(inWords(state)).toBe(`${numbers.reduce((a, b) => a + b)}: ${numbers.join()}`)
        expect({ calls, read }).toEqual({ calls: 1, read: own })
        expect(projection.unsafeStats().events).toBe(own)
        // What came since is read alone, too.
        yield* log.append([changeOf("rare", "Added", 0)])
        const outcome = yield* projection.projectOutcome("rare")
        expect(outcome.strategy).toBe("SlotIncremental")
        expect(Option.isSome(outcome.state) && outcome.generation).toBe(own + 1)
        expect({ calls, read }).toEqual({ calls: 2, read: own + 1 })
      }),
    lawTimeout
  )
})
