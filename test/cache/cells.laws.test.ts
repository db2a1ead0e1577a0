/** Cells against a model that remembers everything that ever happened, and looks through all of it at each question. */
import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as Cells from "../../src/internal/cache/cells.js"
import { ensure, ensureSame, lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

const keys = ["a", "b", "c"] as const
const tags = ["x", "y"] as const

const key = fc.constantFrom(...keys)
const tag = fc.constantFrom(...tags)

type Step =
  | {
      readonly act: "begin"
      readonly key: string
      readonly tags: ReadonlyArray<string>
      readonly size: number
    }
  | { readonly act: "land"; readonly at: number; readonly fresh: number }
  | { readonly act: "invalidate" | "expire" | "pin" | "unpin" | "read"; readonly key: string }
  | { readonly act: "invalidateTag"; readonly tag: string }
  | { readonly act: "invalidateAll" | "suspectAll" | "expireAll" | "distrust" | "trust" }
  | { readonly act: "time"; readonly millis: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant("begin" as const),
      key,
      tags: fc.subarray([...tags]),
      size: fc.nat(12)
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant("land" as const),
      at: fc.nat(9),
      fresh: fc.integer({ min: 1, max: 20 })
    })
  },
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constantFrom(
        "invalidate" as const,
        "expire" as const,
        "pin" as const,
        "unpin" as const,
        "read" as const
      ),
      key
    })
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("invalidateTag" as const), tag }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constantFrom(
        "invalidateAll" as const,
        "suspectAll" as const,
        "expireAll" as const,
        "distrust" as const,
        "trust" as const
      )
    })
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("time" as const), millis: fc.nat(10) }) }
)

const schedule = fc.array(step, { maxLength: 50 })

/** A load: when it began, in steps, and what it brings. */
interface Load {
  readonly key: string
  readonly tags: ReadonlyArray<string>
  readonly size: number
  readonly began: number
  readonly stamp: number
  readonly value: string
  detached: boolean
}

/** What happened at a step. */
interface Event {
  readonly at: number
  readonly what: string
}

interface Kept {
  readonly load: Load
  readonly landed: number
  readonly loadedAt: number
  readonly freshUntil: number
  readonly tags: ReadonlySet<string>
}

const concerningAll = {
  invalidateAll: Cells.invalidateAll,
  suspectAll: Cells.suspectAll,
  expireAll: Cells.expireAll,
  distrust: Cells.distrust,
  trust: Cells.trust
}

/** Plays a schedule on cells, with the loads that a caller has under way: an invalidation detaches them. */
const play = (bound: Cells.Bound) => {
  const evicted: Array<string> = []
  const cells = Cells.make<string, string>(bound, ({ key }) => evicted.push(key))
  const pins = new Map<string, Array<Cells.Cell<string, string>>>()
  const loads: Array<Load> = []
  const events: Array<Event> = []
  const kept = new Map<string, Kept>()
  let now = 0
  let at = 0
  const since = (from: number, ...whats: ReadonlyArray<string>): boolean =>
    events.some((event) => event.at > from && whats.includes(event.what))
  const isPinned = (name: string): boolean => (pins.get(name)?.length ?? 0) > 0
  /** Flights of a key end with its invalidation; those of a pinned one are left to the stamps. */
  const detach = (name: string): void => {
    for (const load of loads) load.detached ||= load.key === name && !isPinned(name)
  }
  const mayLand = (load: Load): boolean => {
    const known = kept.get(load.key)
    return !(
      since(load.began, `invalidate ${load.key}`, "invalidateAll", ...load.tags.map((tag) => `tag ${tag}`)) ||
      (known !== undefined && known.load.began > load.began)
    )
  }
  const land = (step: Extract<Step, { act: "land" }>): void => {
    const [load] = loads.splice(step.at % Math.max(1, loads.length), 1)
    if (load === undefined || load.detached) return
    const times = { loadedAt: now, freshUntil: now + step.fresh }
    const cell = Cells.fill(cells, load.key, load.value, {
      ...times,
      stamp: load.stamp,
      tags: load.tags,
      size: load.size
    })
    const expected = mayLand(load)
    if (cell !== undefined) ensure(expected, "no load lands over an invalidation or a later load")
    if (bound.maxEntries === Number.POSITIVE_INFINITY)
      ensureSame(cell !== undefined, expected, "all others land")
    if (expected) {
      const before = kept.get(load.key)?.tags ?? []
      kept.set(load.key, { load, landed: at, ...times, tags: new Set([...before, ...load.tags]) })
    }
  }
  const drop = (name: string): void => {
    kept.delete(name)
    events.push({ at, what: `invalidate ${name}` })
    detach(name)
  }
  const unpin = (name: string): void => {
    const cell = pins.get(name)?.pop()
    if (cell === undefined) return
    Cells.unpin(cells, cell)
    // From here on the caller alone knows of invalidations.
    for (const load of loads) load.detached ||= load.key === name && !isPinned(name) && !mayLand(load)
  }
  const apply = (step: Step): void => {
    at++
    if (step.act === "begin") {
      loads.push({
        ...step,
        began: at,
        stamp: Cells.nextStamp(cells),
        value: `${step.key}${at}`,
        detached: false
      })
    } else if (step.act === "land") land(step)
    else if (step.act === "time") now += step.millis
    else if (step.act === "invalidate") {
      Cells.invalidate(cells, step.key)
      drop(step.key)
    } else if (step.act === "expire") {
      Cells.expire(cells, step.key)
      events.push({ at, what: `expire ${step.key}` })
    } else if (step.act === "pin") {
      pins.set(step.key, [...(pins.get(step.key) ?? []), Cells.pin(cells, step.key)])
    } else if (step.act === "unpin") unpin(step.key)
    else if (step.act === "read") Cells.hit(cells, step.key, now)
    else if (step.act === "invalidateTag") {
      const tagged = [...kept].flatMap(([name, { tags }]) => (tags.has(step.tag) ? [name] : []))
      const reached = Cells.invalidateTag(cells, step.tag)
      if (bound.maxEntries === Number.POSITIVE_INFINITY) {
        ensure(
          tagged.every((name) => reached.includes(name)),
          "a tag reaches all that have it"
        )
      }
      for (const name of tagged) drop(name)
      events.push({ at, what: `tag ${step.tag}` })
    } else {
      concerningAll[step.act](cells)
      events.push({ at, what: step.act })
      if (step.act === "invalidateAll") kept.clear()
    }
    // Of a key without a cell nothing is known any more.
    for (const name of kept.keys()) if (!cells.map.has(name)) kept.delete(name)
  }
  const stateOf = (name: string): Cells.State => {
    const own = kept.get(name)
    if (own === undefined) return "Empty"
    const distrusted =
      events.filter(({ what }) => what === "distrust" || what === "trust").at(-1)?.what === "distrust"
    if (distrusted || since(own.load.began, "suspectAll")) return "Suspect"
    return since(own.load.began, "expireAll") || since(own.landed, `expire ${name}`) ? "Expired" : "Current"
  }
  return { cells, kept, evicted, apply, stateOf, now: () => now, pins, loads }
}

const unbounded = { maxEntries: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY }

describe("cells", () => {
  it(
    "answer as the whole history demands, whatever lands, is invalidated, suspected, expired, pinned or tagged",
    () => {
      holds(schedule, 1_000, (steps) => {
        const { apply, cells, kept, now, stateOf } = play(unbounded)
        for (const step of steps) {
          apply(step)
          for (const name of keys) {
            const state = stateOf(name)
            const hit = Cells.hit(cells, name, now())
            const isFresh = state === "Current" && now() < kept.get(name)!.freshUntil
            ensureSame(hit?.value, isFresh ? kept.get(name)?.load.value : undefined, `a hit of ${name}`)
          }
        }
        for (const name of keys) {
          const cell = Cells.get(cells, name)
          const aged = cell && Cells.agedOf(cell)
          ensureSame(cell ? Cells.stateOf(cells, cell) : "Empty", stateOf(name), `the state of ${name}`)
          ensureSame(aged?.freshUntil, kept.get(name)?.freshUntil, `the age of ${name}`)
        }
      })
    },
    lawTimeout
  )

  it(
    "hold no more than their bound but for what is pinned, and account for all of it",
    () => {
      const bound = fc.record({
        maxEntries: fc.integer({ min: 1, max: 3 }),
        maxBytes: fc.integer({ min: 5, max: 30 })
      })
      holds(fc.tuple(schedule, bound), 1_000, ([steps, bound]) => {
        const { apply, cells, kept, loads, pins } = play(bound)
        for (const step of steps) {
          apply(step)
          const all = [...cells.map.values()]
          const pinned = all.filter(({ pins }) => pins > 0)
          const bytes = (some: typeof all) => some.reduce((sum, { size }) => sum + size, 0)
          ensureSame(cells.bytes, bytes(all), "the bytes are those of the cells")
          ensureSame(cells.pinned, pinned.length, "the pinned ones are counted")
          ensureSame(cells.pinnedBytes, bytes(pinned), "and their bytes")
          ensure(cells.map.size <= Math.max(bound.maxEntries, pinned.length), "no more entries")
          ensure(cells.bytes <= Math.max(bound.maxBytes, bytes(pinned)), "no more bytes")
          for (const [name, cells] of pins) {
            if (cells.length > 0)
              ensureSame(all.includes(cells[0]!), true, `${name} stays while it is pinned`)
          }
          for (const { key, stamp, value } of all) {
            if (stamp > cells.invalidUpTo) ensureSame(value, kept.get(key)?.load.value, `the value of ${key}`)
          }
          const tagged = new Set([...cells.tags.members.values()].flatMap((members) => [...members]))
          ensure(
            [...tagged].every((cell) => all.includes(cell)),
            "only living cells are found by tags"
          )
          ensure(loads.length <= steps.length && cells.tags.members.size <= tags.length, "no empty tags stay")
        }
      })
    },
    lawTimeout
  )
})
