/**
 * The accepting side against a plain model of it: what is queued, what is in flight, who waits.
 */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import type { Bound, Overflow } from "../../src/internal/actor/bound.js"
import { gapNotes } from "../../src/internal/actor/gaps.js"
import * as Intake from "../../src/internal/actor/intake.js"
import * as Linger from "../../src/internal/actor/linger.js"
import * as Mailbox from "../../src/internal/actor/mailbox.js"
import { ensure, ensureList, ensureSame, lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

interface Item {
  readonly id: number
  /** No number: its size cannot be told. */
  readonly bytes: number | "throws"
}

const sizeOf = ({ bytes }: Item): number => {
  if (bytes === "throws") throw new Error("no size")
  return bytes
}

const nothing = (): void => {}

interface Parked {
  readonly items: ReadonlyArray<Item>
  readonly waiter: Intake.Waiter<Item>
}

const bytesOf = (items: ReadonlyArray<Item>): number =>
  items.reduce((sum, { bytes }) => sum + (typeof bytes === "number" ? bytes : 0), 0)

/** An intake, the model of it, and all that its events told. */
class World {
  now = 0
  ids = 0
  open = true
  queue: Array<Item> = []
  inFlight: Array<Item> = []
  held: Array<Item> = []
  parked: Array<Parked> = []
  offered = 0
  accepted = 0
  refused = 0
  dropped: Array<Item> = []
  settled = 0
  /** What the model says that the waiters must be told, and what they were told. */
  readonly expected: Array<string> = []
  readonly told: Array<string> = []
  readonly droppedPositions: Array<number> = []
  gapsOpened = 0
  fulls = 0
  readonly intake: Intake.Intake<Item>

  readonly bound: Bound<Item> | undefined

  constructor(bound: Bound<Item> | undefined, limit: number) {
    this.bound = bound
    this.intake = Intake.make<Item>({
      limit,
      bound,
      now: () => this.now,
      monotonic: () => this.now,
      events: {
        work: () => undefined,
        crowded: () => this.fulls++,
        dropped: (position) => this.droppedPositions.push(position),
        gapOpened: () => this.gapsOpened++,
        grown: () => undefined
      }
    })
  }

  item(bytes: Item["bytes"]): Item {
    return { id: this.ids++, bytes }
  }

  /** Whether so much more would be within the bound, beside what is named. */
  fits(more: ReadonlyArray<Item>, beside: ReadonlyArray<Item> = this.queue): boolean {
    if (this.bound === undefined) return true
    const all = [...beside, ...this.inFlight, ...more]
    const { bytes = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY } = this.bound
    return all.length <= count && (this.bound.sizeOf === undefined || bytesOf(all) <= bytes)
  }

  isSized(item: Item): boolean {
    if (this.bound?.sizeOf === undefined) return true
    return typeof item.bytes === "number" && item.bytes >= 0 && Number.isFinite(item.bytes)
  }

  /** One item under a policy that says at once. */
  offerModel(item: Item): boolean {
    if (!this.open || !this.isSized(item)) return false
    const overflow: Overflow | undefined = this.bound?.overflow
    if (overflow === "suspend" && this.parked.length > 0) return false
    if (!this.fits([item])) {
      if (overflow === "reject" || overflow === "suspend") return false
      if (overflow === "drop-newest" || !this.fits([item], [])) {
        this.dropped.push(item)
        return true
      }
      while (!this.fits([item])) this.dropped.push(this.queue.shift() as Item)
    }
    this.queue.push(item)
    return true
  }

  offer(bytes: Item["bytes"]): void {
    const item = this.item(bytes)
    this.offered++
    const taken = this.offerModel(item)
    if (taken) this.accepted++
    else this.refused++
    ensureSame(Intake.offer(this.intake, item), taken, "whether an item is taken")
  }

  offerAll(sizes: ReadonlyArray<Item["bytes"]>): void {
    const items = sizes.map((bytes) => this.item(bytes))
    this.offered += items.length
    const sized = this.open && items.every((item) => this.isSized(item))
    const overflow = this.bound?.overflow
    const drops = overflow === "drop-newest" || overflow === "drop-oldest"
    const waitsInLine = overflow === "suspend" && this.parked.length > 0
    const next = this.intake.mailbox.next
    const answer = Intake.offerAll(this.intake, items)
    if (!sized) {
      this.refused += items.length
      ensureSame(answer._tag, "Refused", "items without a size are refused")
    } else if (this.fits(items) && !waitsInLine) {
      this.queue.push(...items)
      this.accepted += items.length
      ensureSame(answer._tag === "Taken" && answer.position, next, "where the first item stands")
      ensureSame(answer._tag === "Taken" && answer.queued, items.length, "all are queued")
    } else if (drops) {
      const before = this.dropped.length
      for (const item of items) ensure(this.offerModel(item), "a policy that drops takes everything")
      this.accepted += items.length
      const droppedNew = this.dropped.slice(before).filter((item) => items.includes(item)).length
      ensureSame(answer._tag === "Taken" && answer.position, next, "where the first item stands")
      ensure(answer._tag === "Taken" && answer.queued >= items.length - droppedNew, "the others are queued")
    } else if (overflow === "suspend" && this.fitsAlone(items)) {
      if (answer._tag !== "Waits") throw new Error(`${answer._tag}, not Waits`)
      const first = items[0]?.id ?? -1
      const waiter = answer.park((position) => {
        this.told.push(`${first}: ${position === undefined ? "refused" : "taken"}`)
      })
      this.parked.push({ items, waiter })
    } else {
      this.refused += items.length
      ensureSame(answer._tag, "Refused", "what finds no room is refused")
    }
  }

  fitsAlone(items: ReadonlyArray<Item>): boolean {
    const { bytes = Number.POSITIVE_INFINITY, count = Number.POSITIVE_INFINITY } = this.bound ?? {}
    return items.length <= count && (this.bound?.sizeOf === undefined || bytesOf(items) <= bytes)
  }

  /** First in, first out: who stands behind one that does not fit waits too. */
  admit(): void {
    for (let first = this.parked[0]; first !== undefined && this.fits(first.items); first = this.parked[0]) {
      this.parked.shift()
      this.queue.push(...first.items)
      this.accepted += first.items.length
      this.expected.push(`${first.items[0]?.id ?? -1}: taken`)
    }
  }

  abandon(which: number): void {
    const parked = this.parked[which % Math.max(1, this.parked.length)]
    if (parked === undefined) return
    this.parked = this.parked.filter((other) => other !== parked)
    this.refused += parked.items.length
    Intake.cancelWaiter(this.intake, parked.waiter)
    Intake.cancelWaiter(this.intake, parked.waiter)
    this.admit()
  }

  take(max: number): void {
    const bytes = this.intake.mailbox.bytes
    const batch = Mailbox.take(this.intake.mailbox, max)
    this.intake.inFlight += batch?.items.length ?? 0
    this.intake.inFlightBytes += bytes - this.intake.mailbox.bytes
    const taken = this.queue.splice(0, max)
    ensureList(batch?.items ?? [], taken, "items leave in order")
    this.inFlight.push(...taken)
  }

  /** Items in flight get an outcome; none takes room any more, also when it is held. */
  settle(count: number, hold: boolean): void {
    const settled = this.inFlight.splice(0, count)
    const bytes = this.bound?.sizeOf === undefined ? 0 : bytesOf(settled)
    if (hold) this.held.push(...settled)
    this.settled += settled.length
    this.intake.inFlight -= settled.length
    this.intake.inFlightBytes -= bytes
    Intake.freed(this.intake)
    this.admit()
  }

  /** Held items are taken up again, whether there is room or not. */
  redrive(): void {
    const bytes = this.bound?.sizeOf === undefined ? 0 : bytesOf(this.held)
    this.intake.inFlight += this.held.length
    this.intake.inFlightBytes += bytes
    this.settled -= this.held.length
    this.inFlight.push(...this.held)
    this.beyond = !this.fits([])
    this.held = []
  }

  shut(): void {
    this.open = false
    Intake.shut(this.intake)
    for (const { items } of this.parked) {
      this.refused += items.length
      this.expected.push(`${items[0]?.id ?? -1}: refused`)
    }
    this.parked = []
  }

  check(): void {
    const { bound, intake } = this
    const sized = bound?.sizeOf !== undefined
    const pending = this.queue.length + this.inFlight.length
    ensureSame(Mailbox.size(intake.mailbox), this.queue.length, "the queue is as long as the model's")
    ensureSame(Intake.pending(intake), pending, "pending is queued or in flight")
    const bytes = sized ? bytesOf(this.queue) + bytesOf(this.inFlight) : 0
    ensureSame(Intake.pendingBytes(intake), bytes, "pending bytes are the sum of the sizes")
    ensureSame(Intake.dropped(intake), this.dropped.length, "every drop is counted")
    ensureSame(Intake.accepted(intake), this.accepted, "every acceptance is counted")
    ensureSame(intake.refused, this.refused, "every refusal is counted")
    ensureSame(this.accepted, pending + Intake.dropped(intake) + this.settled, "the account")
    const waiting = this.parked.reduce((sum, { items }) => sum + items.length, 0)
    ensureSame(this.offered, this.accepted + this.refused + waiting, "an offer is taken, refused or waits")
    this.beyond &&= !this.fits([])
    ensure(this.beyond || this.fits([]), "the bound holds, but for what was taken up again")
    ensureSame(intake.waiters.size, this.parked.length, "who waits")
    ensureList(this.told, this.expected, "waiters enter first in, first out")
    const notes = gapNotes(intake.gaps)
    ensureSame(notes.length, this.gapsOpened, "each interval is told of once")
    const noted = notes.reduce((sum, note) => sum + note.count, 0)
    ensureSame(noted, this.dropped.length, "the gap notes count every drop")
    for (const [i, note] of notes.entries()) {
      ensure(note.from <= note.to && note.from >= (notes[i - 1]?.to ?? 0), "intervals do not overlap")
      ensureSame(note.reason, bound?.overflow, "a note names the policy")
    }
    if (intake.gaps.open === undefined || bound === undefined || this.neverSettledSince) return
    const half = pending >= (bound.count ?? Number.POSITIVE_INFINITY) / 2
    const halfBytes = sized && bytes >= (bound.bytes ?? Number.POSITIVE_INFINITY) / 2
    ensure(half || halfBytes, "an interval ends below half of the bound")
  }

  /** Nothing has got an outcome since the last drop: only that ends an interval. */
  neverSettledSince = false

  /** What was taken up again takes more room than there is. */
  beyond = false
}

type Move =
  | { readonly do: "offer"; readonly bytes: Item["bytes"] }
  | { readonly do: "offerAll"; readonly sizes: ReadonlyArray<Item["bytes"]> }
  | { readonly do: "take"; readonly max: number }
  | { readonly do: "settle"; readonly count: number; readonly hold: boolean }
  | { readonly do: "abandon"; readonly which: number }
  | { readonly do: "redrive" }

const bytes: fc.Arbitrary<Item["bytes"]> = fc.oneof(
  { weight: 12, arbitrary: fc.nat({ max: 12 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Item["bytes"]>("throws", Number.NaN, -1, Number.POSITIVE_INFINITY, 99)
  }
)
const some = fc.integer({ min: 1, max: 6 })

const moves: fc.Arbitrary<ReadonlyArray<Move>> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("offer" as const), bytes }) },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("offerAll" as const), sizes: fc.array(bytes, { maxLength: 6 }) })
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("take" as const), max: some }) },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("settle" as const), count: some, hold: fc.boolean() })
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("abandon" as const), which: fc.nat({ max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("redrive" as const) }) }
  ),
  { maxLength: 60 }
)

const overflow = fc.constantFrom<Overflow>("reject", "suspend", "drop-newest", "drop-oldest")
const bounds: fc.Arbitrary<Bound<Item> | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record({ overflow, count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ overflow, bytes: fc.integer({ min: 1, max: 40 }), sizeOf: fc.constant(sizeOf) }),
  fc.record({
    overflow,
    count: fc.integer({ min: 1, max: 12 }),
    bytes: fc.integer({ min: 1, max: 40 }),
    sizeOf: fc.constant(sizeOf)
  })
)

const sample = fc.record({
  bounds,
  limit: some,
  moves,
  shutAt: fc.option(fc.nat({ max: 60 }), { nil: undefined })
})

const play = (world: World, move: Move): void => {
  if (move.do === "offer") world.offer(move.bytes)
  else if (move.do === "offerAll") world.offerAll(move.sizes)
  else if (move.do === "take") world.take(move.max)
  else if (move.do === "settle") world.settle(move.count, move.hold)
  else if (move.do === "abandon") world.abandon(move.which)
  else world.redrive()
}

describe("the call for work", () => {
  it("comes once for all items that one segment holds, also when those before it have left", () => {
    let calls = 0
    const intake = Intake.make<number>({
      limit: 2,
      bound: undefined,
      now: () => 0,
      monotonic: () => 0,
      events: { work: () => calls++, crowded: nothing, dropped: nothing, gapOpened: nothing, grown: nothing }
    })
    for (const item of [0, 1, 2]) Intake.offer(intake, item)
    expect(calls).toBe(2)
    expect(Mailbox.take(intake.mailbox, 2)?.items).toEqual([0, 1])
    Intake.offer(intake, 3)
    expect(calls).toBe(2)
    Intake.offer(intake, 4)
    expect(calls).toBe(3)
  })
})

describe("intake", () => {
  it(
    "R3: accounts for every item offered, under every policy",
    () => {
      holds(sample, 2000, ({ bounds: bound, limit, moves, shutAt }) => {
        const world = new World(bound, limit)
        for (const [i, move] of moves.entries()) {
          if (i === shutAt) world.shut()
          const before = world.dropped.length
          world.now++
          play(world, move)
          if (world.dropped.length > before) world.neverSettledSince = true
          if (move.do === "settle") world.neverSettledSince = false
          world.check()
        }
      })
    },
    lawTimeout
  )
})

const make = (bound: Bound<Item> | undefined, limit = 10, linger = 0) => {
  const seen = { work: 0, full: 0, grown: [] as Array<number>, dropped: [] as Array<number> }
  const intake = Intake.make<Item>({
    limit,
    bound,
    linger: Linger.make(linger),
    now: () => 0,
    monotonic: () => 0,
    events: {
      work: () => seen.work++,
      crowded: () => seen.full++,
      dropped: (position) => seen.dropped.push(position),
      gapOpened: () => undefined,
      grown: (pending) => seen.grown.push(pending)
    }
  })
  return { intake, seen }
}

const items = (count: number, bytes: Item["bytes"] = 1): ReadonlyArray<Item> =>
  Array.from({ length: count }, (_, id) => ({ id, bytes }))

describe("offers", () => {
  it("signal work once a segment", () => {
    const { intake, seen } = make(undefined, 10)
    for (const item of items(25)) Intake.offer(intake, item)
    expect(seen.work).toBe(3)
  })

  it("signal a lingering worker when a batch is full", () => {
    const { intake, seen } = make(undefined, 10, 50)
    for (const item of items(9)) Intake.offer(intake, item)
    expect(seen.work).toBe(1)
    Intake.offer(intake, { id: 9, bytes: 1 })
    expect(seen.work).toBe(2)
    const bounded = make({ count: 100, overflow: "reject" }, 10, 50)
    Intake.offerAll(bounded.intake, items(10))
    expect(bounded.seen.work).toBe(2)
  })

  it("signal it when the batch is full that a closed segment and the open one make", () => {
    const { intake, seen } = make(undefined, 10, 50)
    for (const item of items(4)) Intake.offer(intake, item)
    Mailbox.setLimit(intake.mailbox, 6)
    Intake.offer(intake, { id: 4, bytes: 1 })
    expect(seen.work).toBe(2)
    Intake.offer(intake, { id: 5, bytes: 1 })
    expect(seen.work).toBe(3)
  })

  it("signal that the bound is half reached, by count or by bytes, where batches linger", () => {
    const bounds: ReadonlyArray<Bound<Item>> = [
      { count: 7, overflow: "reject" },
      { bytes: 7, sizeOf, overflow: "reject" }
    ]
    for (const bound of bounds) {
      const { intake, seen } = make(bound, 10, 50)
      Intake.offerAll(intake, items(3))
      expect(seen.full).toBe(0)
      Intake.offer(intake, { id: 3, bytes: 1 })
      expect(seen.full).toBe(1)
      const atOnce = make(bound, 10, 0)
      Intake.offerAll(atOnce.intake, items(7))
      expect(atOnce.seen.full).toBe(0)
    }
  })

  it("signal that there is no room, so that no worker lingers for more", () => {
    for (const overflow of ["reject", "suspend", "drop-newest", "drop-oldest"] as const) {
      const { intake, seen } = make({ count: 3, overflow })
      for (const item of items(3)) Intake.offer(intake, item)
      expect(seen.full).toBe(0)
      Intake.offer(intake, { id: 3, bytes: 1 })
      expect(seen.full).toBe(1)
      Intake.offerAll(intake, items(2))
      expect(seen.full).toBeGreaterThan(1)
    }
  })

  it("push nothing out in vain: what would not fit even then is dropped itself", () => {
    const { intake, seen } = make({ bytes: 10, sizeOf, overflow: "drop-oldest" })
    Intake.offer(intake, { id: 0, bytes: 6 })
    intake.inFlight += Mailbox.take(intake.mailbox, 10)?.items.length ?? 0
    intake.inFlightBytes += 6
    Intake.offer(intake, { id: 1, bytes: 3 })
    Intake.offer(intake, { id: 2, bytes: 5 })
    expect(seen.dropped).toEqual([])
    expect(Intake.dropped(intake)).toBe(1)
    expect(Mailbox.take(intake.mailbox, 10)?.items).toEqual([{ id: 1, bytes: 3 }])
  })

  it("push nothing out for room that those in flight take", () => {
    for (const taken of [
      { inFlight: 2, inFlightBytes: 0 },
      { inFlight: 0, inFlightBytes: 10 }
    ]) {
      const { intake, seen } = make({ count: 2, bytes: 10, sizeOf, overflow: "drop-oldest" })
      Intake.offer(intake, { id: 0, bytes: 1 })
      Object.assign(intake, taken)
      Intake.offer(intake, { id: 1, bytes: 1 })
      expect(seen.dropped).toEqual([])
      expect(Mailbox.take(intake.mailbox, 10)?.items).toEqual([{ id: 0, bytes: 1 }])
    }
  })

  it("end no interval of drops while those in flight fill half of the bound", () => {
    for (const taken of [
      { inFlight: 2, inFlightBytes: 0 },
      { inFlight: 0, inFlightBytes: 6 }
    ]) {
      const { intake } = make({ count: 4, bytes: 12, sizeOf, overflow: "drop-newest" })
      Object.assign(intake, taken)
      for (const item of items(5)) Intake.offer(intake, { ...item, bytes: 3 })
      const dropped = Intake.dropped(intake)
      expect(dropped).toBeGreaterThan(0)
      Mailbox.take(intake.mailbox, 10)
      Intake.freed(intake)
      for (const item of items(5)) Intake.offer(intake, { ...item, bytes: 3 })
      expect(gapNotes(intake.gaps)).toHaveLength(1)
      Mailbox.take(intake.mailbox, 10)
      Object.assign(intake, { inFlight: 0, inFlightBytes: 0 })
      Intake.freed(intake)
      for (const item of items(6)) Intake.offer(intake, { ...item, bytes: 3 })
      expect(gapNotes(intake.gaps)).toHaveLength(2)
    }
  })

  it("of a closed intake: the waiting offers are refused at once, and resumed in slices", () => {
    const slices: Array<() => void> = []
    const intake = Intake.make<Item>({
      limit: 10,
      bound: { count: 1, overflow: "suspend" },
      now: () => 0,
      monotonic: () => 0,
      events: { work: nothing, crowded: nothing, dropped: nothing, gapOpened: nothing, grown: nothing },
      inSlices: (waiters, each) => {
        for (const waiter of waiters) slices.push(() => each(waiter))
      }
    })
    Intake.offerAll(intake, items(1))
    const told: Array<string> = []
    const waiters = [2, 3, 4].map((id) => {
      const offered = Intake.offerAll(intake, [{ id, bytes: 1 }])
      if (offered._tag !== "Waits") throw new Error(offered._tag)
      return offered.park((position) => told.push(`${id}: ${position}`))
    })
    Intake.shut(intake)
    expect(intake).toMatchObject({ refused: 3, waiting: 0 })
    // Room that comes now lets nobody in, and who goes away now is not refused twice.
    Mailbox.take(intake.mailbox, 1)
    Intake.freed(intake)
    Intake.cancelWaiter(intake, waiters[2]!)
    expect([told, Intake.accepted(intake), intake.refused]).toEqual([[], 1, 3])
    for (const slice of slices.slice(0, 2)) slice()
    expect(told).toEqual(["2: undefined", "3: undefined"])
  })

  it("name the positions of queued items that are dropped", () => {
    const { intake, seen } = make({ count: 3, overflow: "drop-oldest" })
    for (const item of items(5)) Intake.offer(intake, item)
    expect(seen.dropped).toEqual([0, 1])
  })

  it("let the next one in when one that needs more room than there is goes away", () => {
    const { intake } = make({ count: 4, overflow: "suspend" })
    Intake.offerAll(intake, items(2))
    const told: Array<string> = []
    const [large, small] = [items(3), items(2)].map((wanted) => {
      const offered = Intake.offerAll(intake, wanted)
      if (offered._tag !== "Waits") throw new Error(offered._tag)
      return offered.park((position) => told.push(`${wanted.length}: ${position}`))
    })
    expect(told).toEqual([])
    Intake.cancelWaiter(intake, large as Intake.Waiter<Item>)
    expect(told).toEqual(["2: 2"])
    Intake.cancelWaiter(intake, small as Intake.Waiter<Item>)
    expect([intake.refused, Intake.accepted(intake)]).toEqual([3, 4])
  })

  it("of a closed intake are refused, whatever the bound", () => {
    for (const bound of [undefined, { count: 3, overflow: "drop-oldest" }] as const) {
      const { intake } = make(bound)
      Intake.offer(intake, { id: 0, bytes: 1 })
      Intake.shut(intake)
      expect(Intake.offer(intake, { id: 1, bytes: 1 })).toBe(false)
      if (bound === undefined) expect(Intake.offerUnbounded(intake, { id: 1, bytes: 1 })).toBe(false)
      expect(Intake.offerAll(intake, items(2))._tag).toBe("Refused")
      expect(intake.refused).toBe(bound === undefined ? 4 : 3)
      expect(Intake.accepted(intake)).toBe(1)
    }
  })

  it("of an unbounded intake warn once for each doubling above 100,000", () => {
    const { intake, seen } = make(undefined, 1000)
    const item = { id: 0, bytes: 1 }
    for (let i = 0; i < 450_000; i++) Intake.offer(intake, item)
    expect(seen.grown).toEqual([100_000, 200_000, 400_000])
    const bounded = make({ count: 1_000_000, overflow: "reject" })
    for (let i = 0; i < 110_000; i++) Intake.offer(bounded.intake, item)
    expect(bounded.seen.grown).toEqual([])
  })
})

describe("gap notes", () => {
  it("keep the last 100 intervals", () => {
    const { intake } = make({ count: 2, overflow: "drop-newest" })
    for (let i = 0; i < 130; i++) {
      for (const item of items(2 + (i % 3) + 1)) Intake.offer(intake, item)
      intake.inFlight += Mailbox.take(intake.mailbox, 10)?.items.length ?? 0
      intake.inFlight = 0
      Intake.freed(intake)
    }
    const notes = gapNotes(intake.gaps)
    expect(notes.length).toBe(100)
    expect(notes.map(({ count }) => count)).toEqual(Array.from({ length: 100 }, (_, i) => ((i + 30) % 3) + 1))
  })

  it("show the interval under way among the last 100", () => {
    const { intake } = make({ count: 1, overflow: "drop-newest" })
    for (const item of items(4)) Intake.offer(intake, item)
    expect(gapNotes(intake.gaps)).toEqual([{ from: 0, to: 0, count: 3, reason: "drop-newest" }])
  })
})
