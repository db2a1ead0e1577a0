/** How saves of stores are kept in order, and what becomes of those that cannot be stored. */
import { Effect, Exit, Runtime, Scope } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Saving from "../../src/internal/catalog/saving.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"
import { type Fake, type Fate, fakeBackend, saveOf, type Weather } from "./fakeBackend.js"

interface Run {
  readonly fake: Fake
  readonly saving: Saving.Saving
  /** Offers `store name fate`. */
  readonly offer: (text: string) => boolean
  /** `store name: outcome`, in the order in which they were settled. */
  readonly settled: Array<string>
  /** Lets time pass. */
  readonly pass: (millis: number) => Promise<void>
  /** Begins an effect. Returns whether it is over. */
  readonly begin: (effect: Effect.Effect<unknown>) => () => boolean
}

const outcomeOf = (outcome: Saving.Outcome): string =>
  outcome._tag === "StorageError" ? `${outcome.kind} ${outcome.outcome}` : outcome._tag

const minute = 60_000

const using = async (weather: Array<Weather | undefined>, body: (run: Run) => Promise<void>) => {
  const time = virtualTime()
  const promise = Runtime.runPromise(runtimeIn(time))
  const scope = Effect.runSync(Scope.make())
  const fake = fakeBackend(weather)
  const saving = await promise(
    Scope.extend(Saving.make("test", Effect.succeed(fake.backend), undefined), scope)
  )
  const settled: Array<string> = []
  const offer = (text: string): boolean => {
    const [store, name, fate = "good"] = text.split(" ") as [string, string, Fate?]
    return saving.offer(saveOf(store, name, fate), (outcome) => {
      settled.push(`${store} ${name}: ${outcomeOf(outcome)}`)
    })
  }
  const begin = (effect: Effect.Effect<unknown>) => {
    let over = false
    void promise(effect).then(() => {
      over = true
    })
    return () => over
  }
  try {
    await body({ fake, saving, offer, settled, pass: time.advance, begin })
  } finally {
    begin(Scope.close(scope, Exit.void))
    await time.advance(minute)
  }
}

/** A test in a time of its own. */
const scenario = (
  name: string,
  body: (run: Run) => Promise<void>,
  weather: ReadonlyArray<Weather | undefined> = []
): void => {
  it(name, () => using([...weather], body))
}

const storedBy = ({ fake }: Run, store: string): ReadonlyArray<string> =>
  (fake.stored.get(store) ?? []).map((name) => name.split(" ")[0]!)

/** Lets all waits of retries pass, and answers whether that was enough. */
const flushed = async ({ begin, pass, saving }: Run): Promise<boolean> => {
  const isOver = begin(saving.flush)
  await pass(10 * minute)
  return isOver()
}

const fates = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Fate>("good") },
  { weight: 2, arbitrary: fc.constantFrom<Fate>("poison", "named", "either", "broken", "throws") }
)

const away = fc.array(fc.constantFrom<Weather | undefined>(undefined, undefined, "away", "lost", "hangs"), {
  maxLength: 8
})

const schedules = fc.record({
  saves: fc.array(fc.record({ store: fc.constantFrom("a", "b", "c"), fate: fates, pause: fc.boolean() }), {
    maxLength: 24
  }),
  before: away,
  // One window: a backend that fails twice just where one store is tried looks like a bad save.
  strange: fc.record({ kind: fc.constantFrom<Weather>("unknown", "dies"), times: fc.nat({ max: 12 }) }),
  after: away
})

type Schedule = typeof schedules extends fc.Arbitrary<infer A> ? A : never

/** The outcomes of one store, by the names of its saves. */
const outcomesOf = ({ settled }: Run, store: string): ReadonlyMap<string, string> =>
  new Map(
    settled
      .filter((text) => text.startsWith(store))
      .map((text) => [text.slice(2, text.indexOf(":")), text.slice(text.indexOf(":") + 2)])
  )

const play = ({ after, before, saves, strange }: Schedule): Promise<void> =>
  using([...before, ...Array.from({ length: strange.times }, () => strange.kind), ...after], async (all) => {
    for (const [n, { fate, pause, store }] of saves.entries()) {
      all.offer(`${store} ${n} ${fate}`)
      if (pause) await all.pass(0)
    }
    // What cannot be stored is found beside something that can be.
    const others = ["1", "2", "3", "4"]
    for (const name of others) {
      all.offer(`z ${name}`)
      await all.pass(15 * minute)
    }
    expect(all.saving.waiting()).toBe(0)
    expect(all.settled).toHaveLength(saves.length + others.length)
    expect(new Set(all.settled).size).toBe(saves.length + others.length)
    expect(storedBy(all, "z")).toEqual(others)
    for (const store of ["a", "b", "c"]) {
      const offered = saves.flatMap(({ fate, store: of }, n) =>
        of === store ? [{ fate, name: String(n) }] : []
      )
      const outcomes = outcomesOf(all, store)
      expect(storedBy(all, store)).toEqual(
        offered.filter(({ name }) => outcomes.get(name) === "Saved").map(({ name }) => name)
      )
      const firstBad = offered.findIndex(({ fate }) => fate !== "good")
      const before = firstBad === -1 ? offered : offered.slice(0, firstBad)
      for (const { name } of before) expect(outcomes.get(name)).toBe("Saved")
      for (const { fate, name } of offered) if (fate !== "good") expect(outcomes.get(name)).not.toBe("Saved")
    }
  })

describe("saves of stores", () => {
  scenario("are one commit, and each has one outcome", async (all) => {
    for (const text of ["a 1", "b 2", "a 3"]) expect(all.offer(text)).toBe(true)
    expect(all.saving.waiting()).toBe(3)
    expect(await flushed(all)).toBe(true)
    expect(all.fake.attempts).toHaveLength(1)
    expect([...all.settled].sort()).toEqual(["a 1: Saved", "a 3: Saved", "b 2: Saved"])
    expect(all.saving.waiting()).toBe(0)
  })

  for (const fate of ["poison", "named", "either", "broken", "throws"] as const) {
    scenario(`end their store at one that cannot be stored (${fate}), and no other store`, async (all) => {
      for (const text of ["a 1", `a 2 ${fate}`, "a 3", "b 4", "a 5", "b 6"]) all.offer(text)
      expect(await flushed(all)).toBe(true)
      expect(storedBy(all, "a")).toEqual(["1"])
      expect(storedBy(all, "b")).toEqual(["4", "6"])
      const bad = fate === "broken" || fate === "throws" ? "Broken" : "Poison NotStored"
      expect(all.settled.filter((text) => text.startsWith("a"))).toEqual([
        "a 1: Saved",
        ...["2", "3", "5"].map((name) => `a ${name}: ${bad}`)
      ])
      expect(all.offer("a 7")).toBe(true)
      expect(await flushed(all)).toBe(true)
      expect(storedBy(all, "a")).toEqual(["1", "7"])
    })
  }

  scenario(
    "that wait behind a bad one are not stored by a later commit",
    async (all) => {
      all.offer("a 1 poison")
      all.offer("b 2")
      await all.pass(0)
      // The first commit has been taken, and is to be tried again.
      all.offer("a 3")
      all.offer("b 4")
      expect(await flushed(all)).toBe(true)
      expect(storedBy(all, "a")).toEqual([])
      expect(storedBy(all, "b")).toEqual(["2", "4"])
      expect(all.settled).toContain("a 3: Poison NotStored")
    },
    ["away"]
  )

  scenario("find a bad one among many by halves", async (all) => {
    for (let i = 0; i < 1000; i++) all.offer(`a ${i}${i === 700 ? " poison" : ""}`)
    expect(await flushed(all)).toBe(true)
    expect(storedBy(all, "a")).toHaveLength(700)
    expect(all.fake.attempts.length).toBeLessThan(30)
  })

  for (const weather of ["unknown", "dies"] as const) {
    scenario(
      `end no store while nothing at all can be stored (${weather})`,
      async (all) => {
        for (const text of ["a 1", "b 2", "a 3", "c 4"]) all.offer(text)
        expect(await flushed(all)).toBe(true)
        expect(storedBy(all, "a")).toEqual(["1", "3"])
        expect([...all.settled].sort()).toEqual(["a 1: Saved", "a 3: Saved", "b 2: Saved", "c 4: Saved"])
      },
      Array.from({ length: 40 }, () => weather)
    )
  }

  scenario("wait for another store to compare with, if only one may be at fault", async (all) => {
    all.offer("a 1 either")
    expect(await flushed(all)).toBe(false)
    expect(all.settled).toEqual([])
    all.offer("b 2")
    await all.pass(minute)
    expect([...all.settled].sort()).toEqual(["a 1: Poison NotStored", "b 2: Saved"])
  })

  scenario(
    "end no store by a failure that began after a commit, and has passed",
    async (all) => {
      for (const text of ["a 1", "a 2 poison", "z 3"]) all.offer(text)
      expect(await flushed(all)).toBe(true)
      expect(storedBy(all, "a")).toEqual(["1"])
      expect(storedBy(all, "z")).toEqual(["3"])
    },
    [undefined, undefined, "unknown", "unknown", "unknown", "unknown"]
  )

  scenario(
    "may be stored where the answer to an earlier commit was lost",
    async (all) => {
      all.offer("a 1")
      await all.pass(1)
      const isClosed = all.begin(all.saving.closeWithin(1000))
      await all.pass(2000)
      expect(isClosed()).toBe(true)
      expect(storedBy(all, "a")).toEqual(["1"])
      expect(all.settled).toEqual(["a 1: Fatal Unknown"])
    },
    ["lost", ...Array.from({ length: 200 }, () => "away" as const)]
  )

  scenario(
    "are not handed back once they are stored, though others of their batch are",
    async (all) => {
      all.offer("a 1")
      all.offer("b 2 poison")
      await all.pass(1)
      const isClosed = all.begin(all.saving.closeWithin(1000))
      await all.pass(2000)
      expect(isClosed()).toBe(true)
      expect(all.settled).toEqual(["a 1: Saved", "b 2: Fatal NotStored"])
    },
    [undefined, undefined, ...Array.from({ length: 200 }, () => "away" as const)]
  )

  scenario(
    "may be stored where an answer was lost, also behind one that is bad",
    async (all) => {
      for (const text of ["a 1 poison", "a 2", "b 3"]) all.offer(text)
      expect(await flushed(all)).toBe(true)
      expect([...all.settled].sort()).toEqual(["a 1: Poison Unknown", "a 2: Poison Unknown", "b 3: Saved"])
    },
    ["unknown"]
  )

  scenario(
    "end their store where the backend returns no outcome",
    async (all) => {
      all.offer("a 1")
      expect(await flushed(all)).toBe(true)
      expect(all.settled).toEqual(["a 1: Unknown Unknown"])
      expect(all.saving.waiting()).toBe(0)
    },
    ["empty"]
  )

  scenario(
    "are handed back when nothing can be saved any more, and none is taken",
    async (all) => {
      all.offer("a 1")
      all.offer("b 2")
      await all.pass(minute)
      expect(all.settled).toEqual(["a 1: Fatal NotStored", "b 2: Fatal NotStored"])
      expect(all.offer("a 3")).toBe(false)
      expect(all.saving.waiting()).toBe(0)
      const hasFailed = all.begin(all.saving.failed)
      await all.pass(0)
      expect(hasFailed()).toBe(true)
    },
    ["fatal"]
  )

  scenario(
    "are tried again when one takes too long, and keep their order",
    async (all) => {
      for (const text of ["a 1", "b 2", "a 3"]) all.offer(text)
      expect(await flushed(all)).toBe(true)
      expect(storedBy(all, "a")).toEqual(["1", "3"])
      expect(storedBy(all, "b")).toEqual(["2"])
    },
    ["hangs", "hangs"]
  )

  it(
    "are stored in order up to the first bad one of their store, once, whatever fails",
    () => Effect.runPromise(holdsSeeded("saving", schedules, 25, play, 400)),
    seededTimeout
  )
})
