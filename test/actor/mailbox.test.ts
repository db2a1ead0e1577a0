/**
 * The mailbox against a naive queue: one array of entries, in which everything is found by looking.
 */
import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Mailbox from "../../src/internal/actor/mailbox.js"
import { ensure, ensureList, ensureSame, lawTimeout } from "../support/laws/ensure.js"
import { holds } from "../support/laws/laws.js"

interface Item {
  readonly id: number
  readonly bytes: number
}

interface Request extends Mailbox.Request<never> {
  readonly id: number
}

const push = <A>(mailbox: Mailbox.Mailbox<A>, item: A, bytes: number, now: number): void => {
  if (Mailbox.openItems(mailbox) === undefined) Mailbox.openSegment(mailbox, now)
  Mailbox.push(mailbox, item, bytes)
}

type Entry = { readonly item: Item } | { readonly request: Request }

const command = (id: number, kind: Request["kind"]): Request => ({
  _tag: "Request",
  id,
  cancelled: false,
  kind,
  run: () => undefined
})

/** The naive queue. */
class Model {
  entries: Array<Entry> = []
  first = 0
  next = 0

  get items(): ReadonlyArray<Item> {
    return this.entries.flatMap((entry) => ("item" in entry ? [entry.item] : []))
  }

  get bytes(): number {
    return this.items.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The positions of the items from `start` up to the next command. */
  private run(start: number): number {
    let end = start
    while (end < this.entries.length && "item" in (this.entries[end] as Entry)) end++
    return end - start
  }

  takeAt(start: number, count: number): ReadonlyArray<Item> {
    const taken = this.entries.splice(start, count)
    this.first += taken.length
    return taken.flatMap((entry) => ("item" in entry ? [entry.item] : []))
  }

  take(max: number): ReadonlyArray<Item> {
    return this.takeAt(0, Math.min(this.run(0), max))
  }

  /** Where the next item stands behind commands that may be passed. */
  behind(): number | undefined {
    for (const [at, entry] of this.entries.entries()) {
      if ("item" in entry) return at
      if (entry.request.kind === "query" && !entry.request.cancelled) return undefined
    }
    return undefined
  }

  dropOldest(): number | undefined {
    const at = this.entries.findIndex((entry) => "item" in entry)
    if (at < 0) return undefined
    this.takeAt(at, 1)
    return this.first - 1
  }

  shiftRequest(): Request | undefined {
    const head = this.entries[0]
    if (head === undefined || "item" in head) return undefined
    this.entries.shift()
    return head.request
  }

  drainRequests(): ReadonlyArray<Request> {
    const commands = this.entries.flatMap((entry) => ("request" in entry ? [entry.request] : []))
    this.entries = this.entries.filter((entry) => "item" in entry)
    return commands
  }
}

type Move =
  | { readonly do: "push"; readonly bytes: ReadonlyArray<number> }
  | { readonly do: "post"; readonly kind: Request["kind"] }
  | { readonly do: "leave"; readonly which: number }
  | { readonly do: "take" | "takeBehind"; readonly max: number }
  | { readonly do: "dropOldest"; readonly times: number }
  | { readonly do: "shiftRequest" | "drainRequests" }
  | { readonly do: "limit"; readonly limit: number }

const size = fc.integer({ min: 1, max: 6 })

const moves: fc.Arbitrary<ReadonlyArray<Move>> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("push" as const),
        bytes: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 9 })
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("post" as const),
        kind: fc.constantFrom("query" as const, "barrier" as const)
      })
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), which: fc.nat({ max: 9 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("take" as const), max: size }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("takeBehind" as const), max: size }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("dropOldest" as const), times: size }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("shiftRequest" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("drainRequests" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("limit" as const), limit: size }) }
  ),
  { maxLength: 60 }
)

const sample = fc.record({ limit: size, sized: fc.boolean(), moves })

describe("mailbox", () => {
  it(
    "R4: is a queue of items and commands, whatever is done to it in whatever order",
    () => {
      holds(sample, 2000, ({ limit, moves, sized }) => {
        const mailbox = Mailbox.make<Item>(limit, sized)
        const model = new Model()
        const handedOut: Array<{ readonly batch: Mailbox.Batch<Item>; readonly copy: ReadonlyArray<Item> }> =
          []
        let now = 0
        const taken = (
          batch: Mailbox.Batch<Item> | undefined,
          expected: ReadonlyArray<Item>,
          first: number
        ) => {
          ensureList(batch?.items ?? [], expected, "items leave in order")
          if (batch === undefined) return
          ensureSame(batch.first, first, "the number of a batch's first item")
          ensureSame(batch.sizes !== undefined, sized, "sizes are kept when asked for")
          if (batch.sizes !== undefined)
            ensureList(
              batch.sizes,
              expected.map(({ bytes }) => bytes),
              "sizes"
            )
          ensure(batch.openedAt <= (expected[0]?.id ?? 0), "a batch is not younger than its first item")
          handedOut.push({ batch, copy: expected })
        }
        for (const move of moves) {
          const first = model.first
          switch (move.do) {
            case "push":
              for (const bytes of move.bytes) {
                const item = { id: model.next++, bytes }
                now = item.id
                push(mailbox, item, bytes, now)
                model.entries.push({ item })
              }
              break
            case "post": {
              const posted = command(now++, move.kind)
              Mailbox.post(mailbox, posted)
              model.entries.push({ request: posted })
              break
            }
            case "leave": {
              const commands = model.entries.flatMap((entry) => ("request" in entry ? [entry.request] : []))
              const left = commands[move.which % Math.max(1, commands.length)]
              if (left !== undefined) left.cancelled = true
              break
            }
            case "take":
              taken(Mailbox.take(mailbox, move.max), model.take(move.max), first)
              break
            case "takeBehind": {
              const at = model.behind()
              const batch = Mailbox.takeBehind(mailbox, move.max)
              const count = batch?.items.length ?? 0
              // It may take less than it could, but never nothing and never more than it may.
              ensureSame(count > 0, at !== undefined, "something is taken if it can be")
              ensure(count <= move.max, "no more than asked for")
              taken(batch, at === undefined ? [] : model.takeAt(at, count), first)
              break
            }
            case "dropOldest":
              for (let i = 0; i < move.times; i++) {
                ensureSame(Mailbox.dropOldest(mailbox), model.dropOldest(), "the dropped one")
              }
              break
            case "shiftRequest":
              ensureSame(Mailbox.shiftRequest(mailbox), model.shiftRequest(), "the command at the head")
              break
            case "drainRequests":
              ensureList(Mailbox.drainRequests(mailbox), model.drainRequests(), "all commands in order")
              break
            case "limit":
              mailbox.limit = move.limit
              break
          }
          const items = model.items
          ensureSame(Mailbox.size(mailbox), items.length, "size")
          ensureSame(mailbox.next, model.next, "next")
          ensureSame(mailbox.first, model.first, "first")
          ensureSame(mailbox.bytes, sized ? model.bytes : 0, "bytes")
          ensureSame(mailbox.head === undefined, model.entries.length === 0, "no head when empty")
          ensureSame(mailbox.tail === undefined, model.entries.length === 0, "no tail when empty")
          const commands = model.entries.some((entry) => "request" in entry)
          ensureSame(Mailbox.hasRequest(mailbox), commands, "whether a command waits")
          const oldest = Mailbox.oldestAt(mailbox)
          const head = items[0]
          ensureSame(oldest === undefined, head === undefined, "the age of an empty queue")
          ensure((oldest ?? 0) <= (head?.id ?? 0), "the oldest item is not younger than told")
        }
        // The end: all that is left is taken as it stands.
        const { next } = mailbox
        ensureList(Mailbox.drainRequests(mailbox), model.drainRequests(), "the last commands")
        const contents = Mailbox.takeAll(mailbox)
        ensureSame(contents.count, model.items.length, "how much is left")
        ensureList([...Mailbox.itemsOf(contents)], model.items, "what is left")
        ensureSame(Mailbox.size(mailbox), 0, "nothing is left then")
        ensureSame(mailbox.bytes, 0, "nor any bytes")
        ensureSame(Mailbox.openItems(mailbox), undefined, "and no segment is open")
        ensureSame(mailbox.next, next, "every item is counted still")
        // What was handed out belongs to whoever got it.
        for (const { batch, copy } of handedOut) ensureList(batch.items, copy, "a batch is not touched again")
      })
    },
    lawTimeout
  )

  it("hands a whole segment over without a copy", () => {
    const mailbox = Mailbox.make<number>(3, false)
    for (let i = 0; i < 3; i++) push(mailbox, i, 0, 0)
    const array = mailbox.head?._tag === "Segment" ? mailbox.head.items : []
    expect(Mailbox.take(mailbox, 3)?.items).toBe(array)
    expect(array).toEqual([0, 1, 2])
  })

  it("R4: never touches an array again that it has handed over", () => {
    const mailbox = Mailbox.make<number>(10, false)
    push(mailbox, 0, 0, 0)
    const batch = Mailbox.take(mailbox, 10)
    push(mailbox, 1, 0, 0)
    expect(batch?.items).toEqual([0])
    expect(Mailbox.take(mailbox, 10)?.items).toEqual([1])
  })

  it("keeps no dropped item alive", () => {
    const mailbox = Mailbox.make<object>(10, false)
    push(mailbox, { dropped: true }, 0, 0)
    push(mailbox, { dropped: false }, 0, 0)
    Mailbox.dropOldest(mailbox)
    expect(mailbox.head?._tag === "Segment" ? mailbox.head.items : []).toEqual([
      undefined,
      { dropped: false }
    ])
  })

  it("hands over batches as long as what they hold, also of a segment that a burst left open", () => {
    // A burst gives its later segments all their slots at once. Those without an item are cut off here, before a
    // command, and before a drop.
    for (const [limit, count] of [
      [3, 7],
      [5000, 12_000]
    ] as const) {
      const mailbox = Mailbox.make<number>(limit, false)
      const items = Array.from({ length: count }, (_, n) => n)
      const ended: ReadonlyArray<() => void> = [
        () => {},
        () => Mailbox.post(mailbox, command(1, "query")),
        () => Mailbox.closeSegment(mailbox),
        () => Mailbox.openSegment(mailbox, 0)
      ]
      for (const end of ended) {
        for (const item of items) push(mailbox, item, 0, 0)
        end()
        const taken: Array<ReadonlyArray<number>> = []
        while (Mailbox.size(mailbox) > 0) taken.push(Mailbox.take(mailbox, limit)?.items ?? [])
        expect(taken.map(({ length }) => length)).toEqual([limit, limit, count - 2 * limit])
        expect(taken.flat()).toEqual(items)
        Mailbox.drainRequests(mailbox)
        Mailbox.take(mailbox, limit)
      }
    }
  })

  it("gives all slots from the first to the later segments of a burst, and to no other", () => {
    const mailbox = Mailbox.make<number>(4, false)
    const slots = () => {
      push(mailbox, 1, 0, 0)
      return mailbox.write?.length
    }
    expect(Array.from({ length: 9 }, slots)).toEqual([1, 2, 3, 4, 4, 4, 4, 4, 4])
    Mailbox.post(mailbox, command(1, "query"))
    expect(slots()).toBe(1)
  })

  it("hands over the array of a full segment itself, not a copy", () => {
    const mailbox = Mailbox.make<number>(2, false)
    for (let item = 0; item < 5; item++) push(mailbox, item, 0, 0)
    for (let nth = 0; nth < 3; nth++) {
      const own = mailbox.head?._tag === "Segment" ? mailbox.head.items : undefined
      expect(Mailbox.take(mailbox, 2)?.items).toBe(own)
    }
  })

  it("drops the oldest down to the last of a segment that a burst left open", () => {
    const mailbox = Mailbox.make<number>(2, false)
    for (let item = 0; item < 3; item++) push(mailbox, item, 0, 0)
    expect([0, 1, 2].map(() => Mailbox.dropOldest(mailbox))).toEqual([0, 1, 2])
    expect(mailbox.head).toBeUndefined()
    push(mailbox, 3, 0, 0)
    expect(Mailbox.take(mailbox, 2)?.items).toEqual([3])
  })

  it("puts more items behind a batch in a new array", () => {
    const mailbox = Mailbox.make<number>(2, true)
    for (let i = 0; i < 4; i++) push(mailbox, i, i, 0)
    const batch = Mailbox.take(mailbox, 2) as Mailbox.Batch<number>
    const handedOut = batch.items
    Mailbox.append(batch, Mailbox.take(mailbox, 2) as Mailbox.Batch<number>)
    expect(handedOut).toEqual([0, 1])
    expect(batch.items).toEqual([0, 1, 2, 3])
    expect(batch.sizes).toEqual([0, 1, 2, 3])
    expect(batch.first).toBe(0)
  })
})
