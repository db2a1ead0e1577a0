/** What the bisection makes of a failure that may be a record's, the table's, the size's or the server's. */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Bisection from "../../src/internal/recorder/bisection.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

type Blame = NonNullable<Bisection.Failure["blame"]>

/** What a save of the records `from` to `to` fails with, at the n-th save; none: it is stored. */
type Backend = (from: number, to: number, nth: number) => Bisection.Failure | undefined

const failure = (kind: Bisection.Failure["kind"], blame?: Blame): Bisection.Failure => ({
  kind,
  outcome: "NotStored",
  blame
})

interface Played {
  readonly bisection: Bisection.Bisection<Bisection.Failure>
  readonly stored: Array<number>
  readonly setAside: Array<number>
  readonly saves: Array<readonly [number, number]>
  /** The saves before each wait. */
  readonly waits: Array<number>
  end: "Done" | "Stop" | "Wait"
}

/** Plays until the machine is done, stops, or has waited so often. */
const play = (length: number, backend: Backend, maxWaits = 50, fit?: Bisection.Fit): Played => {
  const bisection = Bisection.make<Bisection.Failure>(length, fit)
  const played: Played = { bisection, stored: [], setAside: [], saves: [], waits: [], end: "Wait" }
  return goOn(played, backend, maxWaits)
}

const goOn = (played: Played, backend: Backend, maxWaits: number): Played => {
  const { bisection, saves, setAside, stored, waits } = played
  const last = waits.length + maxWaits
  for (;;) {
    const step = Bisection.next(bisection)
    if (step._tag === "Done" || step._tag === "Stop") return Object.assign(played, { end: step._tag })
    if (step._tag === "Isolate") {
      setAside.push(step.index)
      Bisection.isolated(bisection)
    } else if (step._tag === "Wait") {
      waits.push(saves.length)
      if (waits.length >= last) return played
      Bisection.retry(bisection)
    } else {
      const { from, to } = step
      saves.push([from, to])
      const failed = backend(from, to, saves.length)
      const count = failed === undefined ? to - from : Bisection.failed(bisection, failed)
      if (failed === undefined) Bisection.saved(bisection)
      for (let i = from; i < from + count; i++) stored.push(i)
    }
  }
}

const refusing =
  (bad: ReadonlySet<number>, fails: Bisection.Failure): Backend =>
  (from, to) => {
    for (let i = from; i < to; i++) if (bad.has(i)) return fails
    return undefined
  }

const numbers = (length: number, from = 0): Array<number> => Array.from({ length }, (_, i) => from + i)
const sorted = (indexes: Iterable<number>): Array<number> => [...indexes].sort((a, b) => a - b)

/** Whatever looks like data, at once or after retries. */
const dataLike = [
  failure("Poison"),
  failure("Poison", "either"),
  failure("Fatal", "either"),
  failure("Transient", "either"),
  failure("Transient", "size"),
  failure("Unknown")
]

const named = (fails: Bisection.Failure): string =>
  `${fails.kind}${fails.blame === undefined ? "" : `, ${fails.blame}`}`

describe.each(dataLike.map((fails) => [named(fails), fails] as const))("when all fail (%s)", (_, fails) => {
  it("nothing is set aside, and each round has a bounded number of saves", () => {
    for (const length of [2, 3, 10, 100, 1000]) {
      const { end, saves, setAside, waits } = play(length, () => fails, 30)
      expect(setAside, `of ${length}`).toEqual([])
      // What has no word for its kind is retried first, as it is.
      const first = waits[fails.kind === "Unknown" ? 5 : 0] ?? saves.length
      expect(first, `the first round of ${length}`).toBeLessThanOrEqual(Bisection.maxMisses(length, 0) + 5)
      expect(end).toBe(fails.kind === "Fatal" ? "Stop" : "Wait")
      const rounds = waits.map((n, i) => n - (waits[i - 1] ?? 0))
      expect(Math.max(0, ...rounds)).toBeLessThanOrEqual(Bisection.maxMisses(length, 9))
    }
    expect(Bisection.maxMisses(1000, 0)).toBe(24)
  })

  it("whatever the length of the outage, all is stored once it is over, and nothing is set aside", () => {
    if (fails.kind === "Fatal") return
    const sample = fc.record({
      length: fc.integer({ min: 2, max: 60 }),
      lasts: fc.integer({ min: 1, max: 400 })
    })
    holds(sample, 100, ({ lasts, length }) => {
      const played = play(length, (_from, _to, nth) => (nth <= lasts ? fails : undefined), 500)
      expect(played.end).toBe("Done")
      expect(played.setAside).toEqual([])
      expect(sorted(played.stored)).toEqual(numbers(length))
    })
  })

  it("a newcomer that is stored shows which of them are bad", () => {
    if (fails.blame === "size") return
    for (const length of [1, 3, 40]) {
      if (length === 1 && fails.kind === "Poison" && fails.blame === undefined) continue
      const bad = new Set(numbers(length))
      const backend = refusing(bad, fails)
      const played = play(length, backend, 1)
      while (!played.bisection.needsComparison) {
        Bisection.retry(played.bisection)
        goOn(played, backend, 1)
      }
      Bisection.extend(played.bisection, 2)
      goOn(played, backend, 30)
      expect(played.end, `of ${length}`).toBe("Done")
      expect(sorted(played.stored)).toEqual([length, length + 1])
      expect(sorted(played.setAside)).toEqual(numbers(length))
    }
  })
})

describe("bad records among good ones", () => {
  const sample = fc.integer({ min: 2, max: 120 }).chain((length) =>
    fc.record({
      length: fc.constant(length),
      bad: fc
        .uniqueArray(fc.integer({ min: 0, max: length - 1 }), { minLength: 1, maxLength: 6 })
        .filter((bad) => bad.length < length)
    })
  )

  it(
    "are the ones that are set aside, whatever the kind, and the others keep their order but for what failed alone",
    () => {
      for (const fails of dataLike.filter(({ blame }) => blame !== "size")) {
        holds(sample, 60, ({ bad, length }) => {
          const { end, setAside, stored } = play(length, refusing(new Set(bad), fails))
          expect(end, named(fails)).toBe("Done")
          expect(sorted(setAside), named(fails)).toEqual(sorted(bad))
          expect(stored, named(fails)).toEqual(numbers(length).filter((i) => !bad.includes(i)))
        })
      }
    },
    lawTimeout
  )

  it("wait for no retry where the failure blames a record", () => {
    const fails = failure("Poison", "either")
    for (const bad of [0, 499, 998]) {
      const { saves, setAside, waits } = play(1000, refusing(new Set([bad]), fails))
      expect([setAside, waits]).toEqual([[bad], []])
      expect(saves.length).toBeLessThanOrEqual(23)
    }
  })

  it("stop nothing by a fatal guess while others behind them were not tried", () => {
    const bad = new Set(numbers(20))
    const { end, setAside, stored } = play(40, refusing(bad, failure("Fatal", "either")))
    expect([end, sorted(setAside)]).toEqual(["Done", numbers(20)])
    expect(stored).toEqual(numbers(20, 20))
  })

  it("of whom the first hundred are bad cost a few waits", () => {
    const { end, setAside, stored, waits } = play(
      1000,
      refusing(new Set(numbers(100)), failure("Poison", "either"))
    )
    expect([end, setAside.length]).toEqual(["Done", 100])
    expect(stored).toEqual(numbers(900, 100))
    expect(waits.length).toBeLessThanOrEqual(5)
  })
})

describe("a batch that is too large", () => {
  it("is cut to what passes, and the rest of it is saved in that size", () => {
    const { end, saves, stored } = play(1000, (from, to) =>
      to - from > 130 ? failure("Transient", "size") : undefined
    )
    expect(end).toBe("Done")
    expect(stored).toEqual(numbers(1000))
    const sizes = saves.map(([from, to]) => to - from)
    // Twice what passed is tried once more, and then no more.
    expect(sizes.slice(0, 7)).toEqual([1000, 500, 250, 125, 125, 250, 125])
    expect(Math.max(...sizes.slice(6))).toBe(125)
  })

  it("that was none, but a backend that was away, is soon saved as a whole again", () => {
    const lost: Bisection.Failure = { kind: "Transient", outcome: "Unknown", blame: "size" }
    const { bisection, end, saves, stored } = play(1000, (_from, _to, nth) => (nth <= 14 ? lost : undefined))
    expect([end, sorted(stored).length]).toEqual(["Done", 1000])
    expect(saves.length).toBeLessThanOrEqual(14 + 14)
    expect(bisection.sizeProven).toBe(false)
  })

  it("is cut where the storage names what fits, without a failure", () => {
    const { end, saves, waits } = play(100, (from, to) =>
      to - from > 40 ? { ...failure("Transient", "size"), fits: 40 } : undefined
    )
    expect([end, waits]).toEqual(["Done", []])
    expect(saves).toEqual([
      [0, 100],
      [0, 40],
      [40, 100],
      [40, 80],
      [80, 100]
    ])
  })

  it("begins in the size that passed before", () => {
    const { saves } = play(10, () => undefined, 1, { size: 4, proven: true })
    expect(saves).toEqual([
      [0, 4],
      [4, 8],
      [8, 10]
    ])
  })

  it("and may have lost its connection by chance is retried as it is, twice", () => {
    const lost: Bisection.Failure = { kind: "Transient", outcome: "Unknown", blame: "size" }
    const { saves, waits } = play(8, (_from, _to, nth) => (nth <= 3 ? lost : undefined))
    expect(waits.length).toBe(2)
    expect(saves).toEqual([
      [0, 8],
      [0, 8],
      [0, 8],
      [0, 4],
      [4, 8]
    ])
  })

  it("sets a lone record aside only when others are stored between its failures", () => {
    const lost: Bisection.Failure = { kind: "Transient", outcome: "Unknown", blame: "size" }
    const among = play(16, refusing(new Set([3]), lost), 30)
    expect([among.end, among.setAside]).toEqual(["Done", [3]])
    const backend = refusing(new Set([7]), lost)
    const last = play(8, backend, 30)
    // It failed alone, and nothing comes that it can be compared with.
    expect([last.end, last.setAside]).toEqual(["Wait", []])
    for (let n = 0; n < 4 && last.end !== "Done"; n++) {
      Bisection.extend(last.bisection, 1)
      goOn(last, backend, 30)
    }
    expect([last.end, last.setAside]).toEqual(["Done", [7]])
  })
})

describe("the end", () => {
  it("of newcomers makes a record bad that was blamed itself, and no other one", () => {
    const own = play(3, () => failure("Poison"), 1)
    expect(Bisection.conclude(own.bisection)).toBe(true)
    expect(goOn(own, () => failure("Poison"), 1)).toMatchObject({ end: "Done", setAside: [0, 1, 2] })
    const other = play(3, () => failure("Poison", "either"), 1)
    expect(Bisection.conclude(other.bisection)).toBe(false)
  })

  it("of retries sets nothing aside that was never tried", () => {
    const fails = failure("Transient", "either")
    const played = play(2, () => fails, 1)
    Bisection.extend(played.bisection, 3)
    // The two fail once more; then the schedule ends.
    const step = Bisection.next(played.bisection)
    expect(step).toEqual({ _tag: "Save", from: 0, to: 2 })
    Bisection.failed(played.bisection, failure("Transient"))
    Bisection.exhausted(played.bisection)
    expect(Bisection.next(played.bisection)._tag).toBe("Stop")
    Bisection.failRemaining(played.bisection)
    expect(goOn(played, () => undefined, 1)).toMatchObject({
      end: "Done",
      setAside: [0, 1],
      stored: [2, 3, 4]
    })
  })
})
