/**
 * The bisection against model backends: every record gets one outcome, at the cost that was promised.
 */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Bisection from "../../src/internal/recorder/bisection.js"
import { ensure, lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

type Kind = Bisection.Failure["kind"]

interface Fail extends Bisection.Failure {
  readonly why: string
}

/** What a save of the records `from` to `to` does; undefined: it succeeds. */
type Backend = (from: number, to: number) => Fail | undefined

/** A machine with everything that is known of it from outside. */
interface World {
  readonly bisection: Bisection.Bisection<Fail>
  readonly backend: Backend
  length: number
  /** In the order of their acknowledgement. */
  readonly stored: Array<number>
  readonly setAside: Array<Bisection.Suspect<Fail>>
  /** Records that were in an attempt of unknown outcome. */
  readonly unknown: Set<number>
  /** Records that failed alone for an unknown reason: they may be stored after later ones. */
  readonly late: Set<number>
  saves: number
  waits: number
  largest: number
}

const world = (length: number, backend: Backend): World => ({
  bisection: Bisection.make<Fail>(length),
  backend,
  length,
  stored: [],
  setAside: [],
  unknown: new Set(),
  late: new Set(),
  saves: 0,
  waits: 0,
  largest: 0
})

const indexesOf = (length: number): Array<number> => Array.from({ length }, (_, i) => i)
const sorted = (indexes: Iterable<number>): Array<number> => [...indexes].sort((a, b) => a - b)

const sameStep = (a: Bisection.Step<Fail>, b: Bisection.Step<Fail>): boolean => {
  if (a._tag === "Save" && b._tag === "Save") return a.from === b.from && a.to === b.to
  if (a._tag === "Isolate" && b._tag === "Isolate") return a.index === b.index && a.cause === b.cause
  return a._tag === b._tag
}

/** The laws that hold between any two moves. */
const check = (w: World): void => {
  const open = new Uint8Array(w.length).fill(1)
  const close = (i: number) => {
    ensure(open[i] === 1, `an outcome is given once, also to ${i}`)
    open[i] = 0
  }
  for (const i of w.stored) close(i)
  for (const { index } of w.setAside) close(index)
  const remaining = Bisection.remaining(w.bisection)
  let next = 0
  for (const i of remaining) {
    while (next < i) ensure(open[next++] === 0, "remaining holds all that has no outcome")
    ensure(open[i] === 1, "remaining is in order and holds nothing with an outcome")
    next++
    ensure(
      (Bisection.outcomeOf(w.bisection, i) === "Unknown") === w.unknown.has(i),
      `the outcome of ${i} is told right`
    )
  }
  while (next < w.length) ensure(open[next++] === 0, "remaining holds all that has no outcome")
}

const store = (w: World, from: number, to: number): void => {
  for (let i = from; i < to; i++) w.stored.push(i)
}

/** One move; the step that was made. */
const move = (w: World, onWait: (w: World) => void): Bisection.Step<Fail> => {
  const step = Bisection.next(w.bisection)
  check(w)
  ensure(sameStep(Bisection.next(w.bisection), step), "asking changes nothing")
  switch (step._tag) {
    case "Save": {
      const { from, to } = step
      ensure(to > from, "a save holds something")
      w.saves++
      w.largest = Math.max(w.largest, to - from)
      const failure = w.backend(from, to)
      if (failure === undefined) {
        Bisection.saved(w.bisection)
        store(w, from, to)
        break
      }
      const count = Bisection.failed(w.bisection, failure)
      ensure(count === (failure.stored ?? 0), "the stored part is what the storage said")
      store(w, from, from + count)
      if (failure.outcome === "Unknown") for (let i = from + count; i < to; i++) w.unknown.add(i)
      if (failure.kind === "Unknown" && to - from - count === 1) w.late.add(to - 1)
      break
    }
    case "Wait":
      w.waits++
      onWait(w)
      break
    case "Isolate":
      ensure(
        (Bisection.outcomeOf(w.bisection, step.index) === "Unknown") === w.unknown.has(step.index),
        `the outcome of ${step.index} is told right`
      )
      Bisection.isolated(w.bisection)
      w.setAside.push(step)
      break
    case "Stop":
    case "Done":
      break
  }
  check(w)
  return step
}

const retry = (w: World): void => Bisection.retry(w.bisection)

/** Moves until the machine is done or stops, or for `most` moves. */
const run = (w: World, onWait: (w: World) => void = retry, most = 20_000): Bisection.Step<Fail>["_tag"] => {
  for (let i = 0; i < most; i++) {
    const { _tag } = move(w, onWait)
    if (_tag === "Done" || _tag === "Stop") return _tag
  }
  return "Wait"
}

const fail = (kind: Kind, outcome: Bisection.Failure["outcome"], why: string): Fail => ({
  kind,
  outcome,
  why
})

const has = (bad: ReadonlySet<number>, from: number, to: number): boolean => {
  for (let i = from; i < to; i++) if (bad.has(i)) return true
  return false
}

/** A backend that refuses each save that holds a bad record, and stores nothing of it. */
const refusing =
  (bad: ReadonlySet<number>, kind: Kind = "Poison"): Backend =>
  (from, to) =>
    has(bad, from, to) ? fail(kind, "NotStored", "bad") : undefined

/** Trouble that meets an attempt, whatever it holds. */
interface Trouble {
  readonly kind: Kind
  readonly when: "before" | "after"
}

/** A backend that stores up to its first bad record or nothing, tells much or little, and has trouble at times. */
const faulty = (options: {
  readonly bad: ReadonlySet<number>
  readonly kind: Kind
  readonly prefix: boolean
  readonly told: ReadonlySet<number> | undefined
  readonly troubles: Iterator<Trouble | undefined>
  readonly held: Set<number>
}): Backend => {
  const { bad, held, kind, prefix, told, troubles } = options
  const hold = (from: number, to: number) => {
    for (let i = from; i < to; i++) held.add(i)
  }
  return (from, to) => {
    const next = troubles.next()
    const trouble = next.done === true ? undefined : next.value
    const firstBad = indexesOf(to - from).find((i) => bad.has(from + i)) ?? to - from
    if (trouble !== undefined) {
      if (trouble.when === "before") return fail(trouble.kind, "NotStored", "trouble")
      const reached = firstBad === to - from ? to : prefix ? from + firstBad : from
      hold(from, reached)
      return fail(trouble.kind, "Unknown", "trouble")
    }
    if (firstBad === to - from) {
      hold(from, to)
      return undefined
    }
    if (prefix) {
      hold(from, from + firstBad)
      return { ...fail(kind, "NotStored", "bad"), stored: firstBad }
    }
    const named = [...(told ?? [])].filter((i) => i >= from && i < to && bad.has(i))
    if (kind !== "Poison" || named.length === 0) return fail(kind, "NotStored", "bad")
    return { ...fail(kind, "NotStored", "bad"), bad: named.map((i) => ({ index: i - from, cause: i })) }
  }
}

const batch = fc.integer({ min: 1, max: 70 }).chain((length) =>
  fc.record({
    length: fc.constant(length),
    bad: fc
      .uniqueArray(fc.integer({ min: 0, max: length - 1 }), { maxLength: Math.min(length, 8) })
      .map((bad) => new Set(bad)),
    told: fc.option(
      fc.uniqueArray(fc.integer({ min: 0, max: length - 1 })).map((told) => new Set(told)),
      { nil: undefined }
    ),
    prefix: fc.boolean()
  })
)

/** Where none of several records can be stored, nothing ends. */
const someGood = batch.filter(({ bad, length }) => bad.size < length || length === 1)

const troublesOf = (...kinds: ReadonlyArray<Kind>) =>
  fc.array(
    fc.option(
      fc.record({
        kind: fc.constantFrom(...kinds),
        when: fc.constantFrom<"before" | "after">("before", "after")
      }),
      { nil: undefined }
    ),
    { maxLength: 40 }
  )

/** Whether the order was kept, but for records that failed alone for an unknown reason. */
const inOrder = (w: World): boolean => {
  const kept = w.stored.filter((i) => !w.late.has(i))
  return kept.every((index, i) => i === 0 || (kept[i - 1] as number) < index)
}

describe("poison", () => {
  it(
    "stores what is good in order and sets aside what is bad, whatever the backend's troubles",
    () => {
      const sample = fc.record({ batch: someGood, troubles: troublesOf("Transient") })
      holds(sample, 500, ({ batch: { length, ...given }, troubles }) => {
        const held = new Set<number>()
        const w = world(
          length,
          faulty({ ...given, kind: "Poison", troubles: troubles[Symbol.iterator](), held })
        )
        expect(run(w)).toBe("Done")
        expect(sorted(w.setAside.map(({ index }) => index))).toEqual(sorted(given.bad))
        expect(inOrder(w)).toBe(true)
        expect(w.stored).toEqual(sorted(held))
        const met = troubles.filter((trouble, i) => trouble !== undefined && i < w.saves).length
        // Eight bad ones in front of the good ones may outlast a round. Behind trouble, or behind a stored prefix, with
        // none good left to compare with, they are retried once more.
        const rounds = met === 0 && !given.prefix ? 0 : Bisection.unknownRetries
        expect(w.waits).toBeGreaterThanOrEqual(met)
        expect(w.waits).toBeLessThanOrEqual(met + 2 + rounds)
      })
    },
    lawTimeout
  )

  it(
    "gives every record one outcome whatever fails",
    () => {
      const sample = fc.record({
        batch: someGood,
        troubles: troublesOf("Transient", "Poison", "Unknown", "Fatal")
      })
      const policy = fc.constantFrom<"stop" | "set-aside">("stop", "set-aside")
      holds(
        fc.tuple(sample, policy),
        500,
        ([
          {
            batch: { length, ...given },
            troubles
          },
          onFatal
        ]) => {
          const held = new Set<number>()
          const w = world(
            length,
            faulty({ ...given, kind: "Poison", troubles: troubles[Symbol.iterator](), held })
          )
          let end = run(w)
          while (end === "Stop" && onFatal === "set-aside") {
            Bisection.failRemaining(w.bisection)
            check(w)
            end = run(w)
          }
          expect(end === "Done" || end === "Stop").toBe(true)
          if (end === "Done") expect(w.stored.length + w.setAside.length).toBe(length)
          const acknowledged = new Set(w.stored)
          for (const i of acknowledged) expect(held.has(i), `${i} is stored`).toBe(true)
          const uncertain = new Set(
            [...w.setAside.map(({ index }) => index), ...Bisection.remaining(w.bisection)].filter((i) =>
              w.unknown.has(i)
            )
          )
          for (const i of held) expect(acknowledged.has(i) || uncertain.has(i), `${i} is known of`).toBe(true)
        }
      )
    },
    lawTimeout
  )

  it("costs at most 2 + 2 ceil(log2 n) saves for a bad record, wherever it stands", () => {
    for (const length of [1, 2, 3, 5, 8, 33, 64, 100, 1000]) {
      const most = 2 + 2 * Math.ceil(Math.log2(length))
      for (const bad of indexesOf(length)) {
        const w = { bisection: Bisection.make<Fail>(length), saves: 0, setAside: [] as Array<number> }
        for (
          let step = Bisection.next(w.bisection);
          step._tag !== "Done";
          step = Bisection.next(w.bisection)
        ) {
          if (step._tag === "Isolate") {
            w.setAside.push(step.index)
            Bisection.isolated(w.bisection)
          } else if (step._tag === "Save") {
            w.saves++
            const failure = refusing(new Set([bad]))(step.from, step.to)
            if (failure === undefined) Bisection.saved(w.bisection)
            else Bisection.failed(w.bisection, failure)
          } else expect(step._tag).toBe("Save")
        }
        expect(w.setAside).toEqual([bad])
        expect(w.saves, `${bad} of ${length}`).toBeLessThanOrEqual(most)
      }
    }
    expect(2 + 2 * Math.ceil(Math.log2(1000))).toBeLessThanOrEqual(22)
  })

  it("tries no half that must be bad: the last one of 1,024 costs half as much as the first one", () => {
    for (const [bad, saves] of [
      [0, 22],
      [1023, 12]
    ] as const) {
      const w = world(1024, refusing(new Set([bad])))
      expect(run(w)).toBe("Done")
      expect(w.saves).toBe(saves)
    }
  })

  it(
    "costs at most 22 saves for each of k bad records in 1,000",
    () => {
      const bad = fc.uniqueArray(fc.integer({ min: 0, max: 999 }), { minLength: 1, maxLength: 12 })
      holds(bad, 60, (indexes) => {
        const bisection = Bisection.make<Fail>(1000)
        const backend = refusing(new Set(indexes))
        let saves = 0
        for (let step = Bisection.next(bisection); step._tag !== "Done"; step = Bisection.next(bisection)) {
          if (step._tag === "Isolate") Bisection.isolated(bisection)
          else if (step._tag === "Save") {
            saves++
            const failure = backend(step.from, step.to)
            if (failure === undefined) Bisection.saved(bisection)
            else Bisection.failed(bisection, failure)
          }
        }
        expect(saves).toBeLessThanOrEqual(22 * indexes.length)
      })
    },
    lawTimeout
  )

  it("needs one more save for each part when the storage names its bad records", () => {
    const bad = new Set([0, 7, 8, 40, 99])
    const held = new Set<number>()
    const troubles = ([] as Array<Trouble>)[Symbol.iterator]()
    const w = world(100, faulty({ bad, kind: "Poison", prefix: false, told: bad, troubles, held }))
    expect(run(w)).toBe("Done")
    expect(w.setAside.map(({ detail, index }) => [index, detail])).toEqual([...bad].map((i) => [i, i]))
    // 1 to 6, 9 to 39, 41 to 98.
    expect(w.saves).toBe(1 + 3)
  })

  it("counts `bad` from the start of the save also when a part of it was stored", () => {
    const bisection = Bisection.make<Fail>(6)
    const named = { ...fail("Poison", "NotStored", "bad"), stored: 2, bad: [{ index: 4, cause: "it" }] }
    expect(Bisection.failed(bisection, named)).toBe(2)
    expect(Bisection.next(bisection)).toMatchObject({ _tag: "Isolate", index: 4, detail: "it" })
  })

  it("takes no nonsense for positions", () => {
    for (const stored of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY]) {
      const bisection = Bisection.make<Fail>(3)
      expect(Bisection.failed(bisection, { ...fail("Transient", "NotStored", "x"), stored })).toBe(0)
      expect(Bisection.remaining(bisection)).toEqual([0, 1, 2])
    }
    const beyond = Bisection.make<Fail>(3)
    expect(Bisection.failed(beyond, { ...fail("Transient", "NotStored", "x"), stored: 9 })).toBe(3)
    expect(Bisection.next(beyond)._tag).toBe("Done")
    const later = Bisection.make<Fail>(4)
    Bisection.failed(later, { ...fail("Transient", "NotStored", "x"), stored: 2 })
    Bisection.retry(later)
    expect(Bisection.failed(later, { ...fail("Transient", "NotStored", "x"), stored: 9 })).toBe(2)
    expect(Bisection.next(later)._tag).toBe("Done")
    const odd = [-1, 3, 0.5, Number.NaN].map((index) => ({ index, cause: "x" }))
    const bisection = Bisection.make<Fail>(3)
    Bisection.failed(bisection, { ...fail("Poison", "NotStored", "x"), bad: odd })
    expect(Bisection.next(bisection)).toEqual({ _tag: "Save", from: 0, to: 2 })
  })

  it("sets nothing aside that was not refused by itself", () => {
    // A batch that is refused for its size: its records are good.
    const w = world(50, (from, to) => (to - from > 7 ? fail("Poison", "NotStored", "too long") : undefined))
    expect(run(w)).toBe("Done")
    expect(w.setAside).toEqual([])
    expect(w.stored).toEqual(indexesOf(50))
  })
})

describe("unknown failures", () => {
  const someBad = fc.integer({ min: 2, max: 60 }).chain((length) =>
    fc.record({
      length: fc.constant(length),
      bad: fc
        .uniqueArray(fc.integer({ min: 0, max: length - 1 }), { minLength: 1, maxLength: length - 1 })
        .map((bad) => new Set(bad))
    })
  )

  it("are retried 5 times before anything is split", () => {
    const w = world(8, refusing(new Set([3]), "Unknown"))
    for (let i = 0; i < 5; i++) {
      expect(move(w, retry)).toEqual({ _tag: "Save", from: 0, to: 8 })
      expect(move(w, retry)._tag).toBe("Wait")
    }
    expect(move(w, retry)).toEqual({ _tag: "Save", from: 0, to: 8 })
    expect(move(w, retry)).toEqual({ _tag: "Save", from: 0, to: 4 })
  })

  it("count in a row: what is stored in between begins the count anew", () => {
    const w = world(20, () => ({ ...fail("Unknown", "NotStored", "slow"), stored: 1 }))
    const onWait = (waiting: World) => {
      expect(waiting.bisection.needsComparison, "there is nothing to compare yet").toBe(false)
      retry(waiting)
    }
    expect(run(w, onWait)).toBe("Done")
    expect(w.stored).toEqual(indexesOf(20))
    expect(w.waits).toBe(19)
    expect(w.largest).toBe(20)
  })

  it(
    "end with the bad records set aside as long as one record is good, adjacent ones too",
    () => {
      holds(someBad, 500, ({ bad, length }) => {
        const w = world(length, refusing(bad, "Unknown"))
        expect(run(w)).toBe("Done")
        expect(sorted(w.setAside.map(({ index }) => index))).toEqual(sorted(bad))
        expect(inOrder(w)).toBe(true)
        expect(w.stored.length).toBe(length - bad.size)
        // A round that stores nothing ends early; what is last and bad costs two more rounds of retries.
        const lastIsBad = bad.has(length - 1)
        expect(w.waits).toBeGreaterThanOrEqual(5)
        expect(w.waits).toBeLessThanOrEqual(8 + (lastIsBad ? 10 : 0))
      })
    },
    lawTimeout
  )

  it("of one record cost a bisection, the retries and a last proof; two more rounds of them when it is last", () => {
    for (const length of [2, 3, 10, 100]) {
      for (const bad of indexesOf(length)) {
        const w = world(length, refusing(new Set([bad]), "Unknown"))
        expect(run(w)).toBe("Done")
        expect(w.setAside.map(({ index }) => index)).toEqual([bad])
        const most = 6 + 2 * Math.ceil(Math.log2(length)) + (bad === length - 1 ? 11 : 1)
        expect(w.saves, `${bad} of ${length}`).toBeLessThanOrEqual(most)
      }
    }
  })

  it(
    "set nothing aside while nothing can be stored, however long",
    () => {
      holds(fc.integer({ min: 1, max: 40 }), 40, (length) => {
        const w = world(length, () => fail("Unknown", "Unknown", "outage"))
        expect(run(w, retry, 1000)).toBe("Wait")
        expect(w.setAside).toEqual([])
        expect(w.stored).toEqual([])
        const recovered: World = { ...w, backend: () => undefined }
        expect(run(recovered)).toBe("Done")
        expect(recovered.setAside).toEqual([])
        expect(sorted(recovered.stored)).toEqual(indexesOf(length))
        expect(inOrder(recovered)).toBe(true)
      })
    },
    lawTimeout
  )

  it(
    "set no good record aside in an outage, wherever in the bisection it begins and ends",
    () => {
      const sample = fc.record({
        given: someBad,
        begins: fc.integer({ min: 0, max: 60 }),
        lasts: fc.integer({ min: 1, max: 60 }),
        kinds: fc.array(fc.constantFrom<Kind>("Unknown", "Transient"), { minLength: 1, maxLength: 4 }),
        outcome: fc.constantFrom<Bisection.Failure["outcome"]>("NotStored", "Unknown")
      })
      holds(sample, 1000, ({ given: { bad, length }, begins, kinds, lasts, outcome }) => {
        let attempts = 0
        let over = false
        const good = refusing(bad, "Unknown")
        const w: World = world(length, (from, to) => {
          const attempt = attempts++
          const away = !over && attempt >= begins && attempt < begins + lasts
          return away ? fail(kinds[attempt % kinds.length] as Kind, outcome, "outage") : good(from, to)
        })
        const end = run(w, (waiting) => {
          // An outage that began after something had been stored ends within the round of retries that it causes.
          if (waiting.stored.length > 0 && attempts > begins) over = true
          retry(waiting)
        })
        expect(end).toBe("Done")
        expect(sorted(w.setAside.map(({ index }) => index))).toEqual(sorted(bad))
        expect(inOrder(w)).toBe(true)
      })
    },
    lawTimeout
  )

  it("leave a lone record waiting for another one to compare it with", () => {
    const w = world(1, refusing(new Set([0]), "Unknown"))
    expect(run(w, retry, 200)).toBe("Wait")
    expect(w.setAside).toEqual([])
    for (let i = 0; i < 20 && !w.bisection.needsComparison; i++) move(w, retry)
    expect(w.bisection.needsComparison).toBe(true)
    while (Bisection.next(w.bisection)._tag !== "Wait") move(w, retry)
    Bisection.extend(w.bisection, 1)
    w.length++
    expect(run(w)).toBe("Done")
    expect(w.stored).toEqual([1])
    expect(w.setAside.map(({ index }) => index)).toEqual([0])
  })

  it(
    "take newcomers until one can be stored, and then let all of them through",
    () => {
      const sample = fc.record({
        length: fc.integer({ min: 1, max: 12 }),
        steps: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
        last: fc.integer({ min: 0, max: 11 })
      })
      holds(sample, 300, ({ last, length, steps }) => {
        // Everything is bad but one record of the last newcomers.
        const total = length + steps.reduce((sum, n) => sum + n, 0)
        const good = total - 1 - (last % (steps[steps.length - 1] as number))
        const bad = new Set(indexesOf(total).filter((i) => i !== good))
        const w = world(length, refusing(bad, "Unknown"))
        const newcomers = [...steps]
        const rounds: Array<number> = []
        const end = run(w, (waiting) => {
          const count = waiting.bisection.needsComparison ? newcomers.shift() : undefined
          if (count === undefined) return retry(waiting)
          rounds.push(waiting.waits)
          Bisection.extend(waiting.bisection, count)
          waiting.length += count
        })
        expect(end).toBe("Done")
        expect(w.stored).toEqual([good])
        expect(sorted(w.setAside.map(({ index }) => index))).toEqual(sorted(bad))
        expect(w.largest, "no save is larger than a batch").toBeLessThanOrEqual(Math.max(length, ...steps))
        for (let i = 1; i < rounds.length; i++) {
          expect(
            (rounds[i] as number) - (rounds[i - 1] as number),
            "newcomers come once a round"
          ).toBeGreaterThanOrEqual(1)
        }
      })
    },
    lawTimeout
  )

  it("keep what is known of the outcomes when newcomers come", () => {
    const w = world(1, () => fail("Unknown", "Unknown", "outage"))
    while (!w.bisection.needsComparison) move(w, retry)
    Bisection.extend(w.bisection, 2)
    w.length += 2
    check(w)
    expect(indexesOf(3).map((i) => Bisection.outcomeOf(w.bisection, i))).toEqual([
      "Unknown",
      "NotStored",
      "NotStored"
    ])
    while (Bisection.next(w.bisection)._tag === "Save") move(w, retry)
    expect(indexesOf(3).map((i) => Bisection.outcomeOf(w.bisection, i))).toEqual([
      "Unknown",
      "Unknown",
      "Unknown"
    ])
  })

  it("are one batch again after a bisection in which nothing could be stored", () => {
    const w = world(4, () => fail("Unknown", "NotStored", "outage"))
    while (!w.bisection.needsComparison) move(w, retry)
    const recovered: World = { ...w, backend: () => undefined }
    expect(run(recovered)).toBe("Done")
    expect(recovered.saves - w.saves).toBe(1)
  })

  it("are saved in parts as large as the batch, also those that came later, once the outage is over", () => {
    const w = world(4, () => fail("Unknown", "NotStored", "outage"))
    while (!w.bisection.needsComparison) move(w, retry)
    Bisection.extend(w.bisection, 1)
    w.length++
    while (Bisection.next(w.bisection)._tag === "Save") move(w, retry)
    const { saves } = w
    const recovered: World = { ...w, backend: () => undefined }
    expect(run(recovered)).toBe("Done")
    expect(sorted(recovered.stored)).toEqual(indexesOf(5))
    expect(recovered.saves - saves).toBe(2)
  })

  it("that end in the midst of a bisection leave the other half whole", () => {
    let attempts = 0
    const w = world(8, () => (attempts++ < 6 ? fail("Unknown", "NotStored", "outage") : undefined))
    expect(run(w)).toBe("Done")
    expect(w.stored).toEqual(indexesOf(8))
    expect(w.saves).toBe(6 + 2)
  })

  it("leave alone what was set aside between them", () => {
    let away = true
    const w = world(3, (from, to) => {
      if (!away) return undefined
      if (to - from === 1 && from === 1) {
        return { ...fail("Poison", "NotStored", "bad"), bad: [{ index: 0, cause: "it" }] }
      }
      return fail("Unknown", "NotStored", "outage")
    })
    for (let i = 0; i < 100 && w.setAside.length === 0; i++) move(w, retry)
    while (Bisection.next(w.bisection)._tag === "Save") move(w, retry)
    away = false
    expect(run(w)).toBe("Done")
    expect(w.stored).toEqual([0, 2])
    expect(w.setAside.map(({ index }) => index)).toEqual([1])
  })

  it("differ from bad data by the storage's word: poison among them is set aside at once", () => {
    const poison = refusing(new Set([2]), "Poison")
    const unknown = refusing(new Set([5]), "Unknown")
    const w = world(9, (from, to) => poison(from, to) ?? unknown(from, to))
    expect(run(w)).toBe("Done")
    expect(w.setAside.map(({ cause, index }) => [index, cause.kind])).toEqual([
      [2, "Poison"],
      [5, "Unknown"]
    ])
  })
})

describe("the end of retries", () => {
  it("stops at a transient failure, with every record left", () => {
    const w = world(4, () => fail("Transient", "Unknown", "away"))
    expect(run(w, (waiting) => Bisection.exhausted(waiting.bisection))).toBe("Stop")
    expect(Bisection.next(w.bisection)).toMatchObject({ _tag: "Stop", failure: { why: "away" } })
    expect(Bisection.remaining(w.bisection)).toEqual([0, 1, 2, 3])
  })

  it("splits at an unknown failure, and stops when nothing can be stored", () => {
    const w = world(4, refusing(new Set([1, 3]), "Unknown"))
    expect(run(w, (waiting) => Bisection.exhausted(waiting.bisection))).toBe("Done")
    expect(sorted(w.setAside.map(({ index }) => index))).toEqual([1, 3])
    expect(w.stored).toEqual([0, 2])
    const outage = world(4, () => fail("Unknown", "Unknown", "outage"))
    expect(run(outage, (waiting) => Bisection.exhausted(waiting.bisection))).toBe("Stop")
    expect(outage.setAside).toEqual([])
  })

  it(
    "stops at a fatal failure, or sets aside exactly what is left",
    () => {
      const sample = fc.record({ batch, troubles: troublesOf("Unknown", "Fatal", "Transient") })
      holds(sample, 300, ({ batch: { length, ...given }, troubles }) => {
        const held = new Set<number>()
        const backend = faulty({ ...given, kind: "Unknown", troubles: troubles[Symbol.iterator](), held })
        const w = world(length, backend)
        if (run(w, (waiting) => Bisection.exhausted(waiting.bisection)) === "Stop") {
          const left = Bisection.remaining(w.bisection)
          const before = w.setAside.length
          Bisection.failRemaining(w.bisection)
          check(w)
          expect(run(w)).toBe("Done")
          expect(w.setAside.slice(before).map(({ index }) => index)).toEqual(left)
        }
        expect(w.stored.length + w.setAside.length).toBe(length)
      })
    },
    lawTimeout
  )

  it("keeps the storage's word on a record that is condemned with the others", () => {
    const bisection = Bisection.make<Fail>(3)
    Bisection.failed(bisection, { ...fail("Poison", "NotStored", "bad"), bad: [{ index: 1, cause: "why" }] })
    Bisection.isolated(bisection)
    Bisection.failed(bisection, fail("Fatal", "NotStored", "gone"))
    expect(Bisection.next(bisection)._tag).toBe("Stop")
    Bisection.failRemaining(bisection)
    expect(Bisection.next(bisection)).toMatchObject({ _tag: "Isolate", index: 0, cause: { why: "gone" } })
  })
})

it("an empty batch is done", () => {
  expect(Bisection.next(Bisection.make<Fail>(0))).toEqual({ _tag: "Done" })
})
