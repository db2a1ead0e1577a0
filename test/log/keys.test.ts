/** The index of a log in memory against a list of all events that ever were. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Storage from "../../src/Storage.js"
import { holdsEffect } from "../support/laws/laws.js"

type Log = ChangeLog.ChangeLog<unknown>

const maxRevisions = 6

interface Known {
  readonly key: string
  readonly generation: number
  readonly kind: string | undefined
  readonly seq: number
  readonly tag: number
}

/** What the log must be like. */
interface Model {
  events: Array<Known>
  ids: Map<string, number>
  holds: Map<string, number>
  head: number
  floor: number
}

const keys = fc.constantFrom("/a", "/b", "/c/1")
const kinds = fc.constantFrom("paid", "noted")
const change = fc.record({ key: keys, kind: fc.oneof(kinds, fc.constantFrom("removed", "$forgotten")) })
const changes = fc.array(change, { minLength: 1, maxLength: 3 })
const someKinds = fc.option(fc.subarray(["paid", "noted"]), { nil: undefined })
const back = fc.nat({ max: 8 })

const step = fc.oneof(
  fc.record({ do: fc.constant("append" as const), changes }),
  fc.record({
    do: fc.constant("expect" as const),
    changes,
    id: fc.option(fc.constantFrom("x", "y", "z"), { nil: undefined }),
    generation: fc.record({ key: keys, off: fc.constantFrom(0, 0, 0, 1, -1) }),
    nothing: fc.option(fc.record({ key: keys, kinds: someKinds, back }), { nil: undefined })
  }),
  fc.record({ do: fc.constant("compact" as const), back }),
  fc.record({ do: fc.constant("renew" as const) }),
  fc.record({ do: fc.constant("hold" as const), name: fc.constantFrom("p", "q"), back }),
  fc.record({ do: fc.constant("release" as const), name: fc.constantFrom("p", "q") }),
  fc.record({
    do: fc.constant("history" as const),
    key: keys,
    kinds: someKinds,
    from: fc.option(back, { nil: undefined }),
    wrongTag: fc.boolean(),
    limit: fc.integer({ min: 1, max: 5 })
  }),
  fc.record({
    do: fc.constant("scan" as const),
    key: fc.option(keys, { nil: undefined }),
    kinds: someKinds,
    back
  })
)

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never
type Of<D extends Step["do"]> = Extract<Step, { readonly do: D }>

const toChange = ({
  key,
  kind
}: {
  readonly key: string
  readonly kind: string
}): ChangeLog.Change<unknown> =>
  kind === "removed"
    ? ChangeLog.remove(key)
    : kind === "$forgotten"
      ? ChangeLog.forgotten(key)
      : ChangeLog.put(key, { kind, data: 1 })

const countOf = ({ events }: Model, key: string): number => events.filter((event) => event.key === key).length

const isOf = ({ kind }: Known, kinds: ReadonlyArray<string> | undefined): boolean =>
  kinds === undefined || kind === "$forgotten" || (kind !== undefined && kinds.includes(kind))

const compactTo = (model: Model, floor: number): void => {
  model.floor = Math.max(model.floor, floor)
  for (const [id, seq] of model.ids) if (seq <= model.floor) model.ids.delete(id)
}

const trim = (model: Model): void =>
  compactTo(model, Math.min(model.head - maxRevisions, ...model.holds.values()))

const appended = (
  model: Model,
  { changes }: Of<"append" | "expect">,
  { seq, tag }: ChangeLog.Revision
): void => {
  expect(seq).toBe(model.head + 1)
  model.head = seq
  for (const { key, kind } of changes) {
    const generation = countOf(model, key) + 1
    model.events.push({ key, generation, kind: kind === "removed" ? undefined : kind, seq, tag })
  }
  trim(model)
}

/** The place of a number: of its own tag, or below the floor of any. */
const place = (log: Log, { events }: Model, seq: number) =>
  Effect.map(log.head, ({ floor, head }): ChangeLog.Revision => {
    const tag = events.find((event) => event.seq === seq)?.tag ?? (seq === floor.seq ? floor.tag : 0)
    return { epoch: head.epoch, seq, tag }
  })

const conditional = (log: Log, model: Model, step: Of<"expect">) =>
  Effect.gen(function* () {
    const { generation, id, nothing } = step
    const count = countOf(model, generation.key)
    const after = nothing && (yield* place(log, model, Math.max(0, model.head - nothing.back)))
    const expected: Array<ChangeLog.Condition> = [
      { key: generation.key, generation: Math.max(0, count + generation.off) }
    ]
    if (nothing && after) expected.push({ nothing: ChangeLog.key(nothing.key), kinds: nothing.kinds, after })
    const came = (seq: number) =>
      model.events.find(
        (event) => event.seq > seq && event.key === nothing?.key && isOf(event, nothing.kinds)
      )
    const done = yield* Effect.either(
      log.commit([{ changes: step.changes.map(toChange), id, expect: expected }])
    )
    if (id !== undefined && model.ids.has(id)) return expect(Either.getOrThrow(done).duplicates).toBe(1)
    if (Either.isRight(done)) {
      expect((expected[0] as ChangeLog.GenerationCondition).generation).toBe(count)
      if (after) expect([after.seq >= model.floor, came(after.seq)]).toEqual([true, undefined])
      if (id !== undefined) model.ids.set(id, model.head + 1)
      return appended(model, step, done.right.revisions[0] as ChangeLog.Revision)
    }
    const { left } = done
    if (left._tag !== "Conflict") return yield* left
    if (left.condition === expected[0]) expect([left.reason, left.generation]).toEqual(["Changed", count])
    else if (left.reason === "Compacted") expect(after?.seq).toBeLessThan(model.floor)
    else expect([left.reason, left.revision?.seq]).toEqual(["Changed", came(after?.seq as number)?.seq])
  })

const history = (log: Log, model: Model, { from, key, kinds, limit, wrongTag }: Of<"history">) =>
  Effect.gen(function* () {
    const own = model.events.filter((event) => event.key === key)
    const last = from === undefined ? undefined : own[Math.min(from, own.length - 1)]
    const { epoch } = (yield* log.head).head
    const tag = last === undefined ? 0 : wrongTag ? last.tag ^ 1 : last.tag
    const after = last && { generation: last.generation, revision: { epoch, seq: last.seq, tag } }
    const read = yield* Effect.either(log.index!.history(key, { after, kinds, limit }))
    const gone = own.filter(({ seq }) => seq <= model.floor).length
    const begin = last?.generation ?? 0
    if (begin < gone)
      return expect(Either.flip(read)).toMatchObject({ right: { _tag: "Compacted", floor: model.floor } })
    if (last !== undefined && wrongTag)
      return expect(Either.flip(read)).toMatchObject({ right: { _tag: "EpochChanged" } })
    const wanted = own.slice(begin).filter((event) => isOf(event, kinds))
    const page = Either.getOrThrow(read)
    expect(
      page.events.map(({ event, generation }) => [generation, event.revision.seq, event.revision.epoch])
    ).toEqual(wanted.slice(0, limit).map(({ generation, seq }) => [generation, seq, epoch]))
    expect(page.more).toBe(wanted.length > limit)
    expect(page.last?.generation).toBe(own.at(-1)?.generation)
    expect(page.last?.revision.tag).toBe(own.at(-1)?.tag)
  })

const scan = (log: Log, model: Model, step: Of<"scan">) =>
  Effect.gen(function* () {
    const after = yield* place(log, model, Math.max(model.floor, model.head - step.back))
    const selector = step.key === undefined ? undefined : ChangeLog.key(step.key)
    const found = yield* log.index!.scan({ after, selector, kinds: step.kinds, limit: 100 })
    const wanted = model.events.filter(
      (event) => event.seq > after.seq && (step.key ?? event.key) === event.key && isOf(event, step.kinds)
    )
    expect(
      found.revisions.flatMap(({ events }) => events.map(({ key, revision }) => [key, revision.seq]))
    ).toEqual(wanted.map(({ key, seq }) => [key, seq]))
    expect(found.reached.seq).toBe(model.head)
  })

const run = (log: Log, model: Model, step: Step): Effect.Effect<unknown, unknown> => {
  switch (step.do) {
    case "append":
      return Effect.map(log.append(step.changes.map(toChange)), (revision) => appended(model, step, revision))
    case "expect":
      return conditional(log, model, step)
    case "compact": {
      const upTo = model.head - step.back
      return Effect.map(log.compact(upTo), () => compactTo(model, upTo))
    }
    case "renew":
      return log.renewEpoch
    case "hold":
      return Effect.gen(function* () {
        const after = yield* place(log, model, Math.max(model.floor, model.head - step.back))
        yield* log.index!.hold(step.name, after)
        model.holds.set(step.name, after.seq)
        trim(model)
      })
    case "release":
      return Effect.map(log.index!.release(step.name), () => {
        model.holds.delete(step.name)
        trim(model)
      })
    case "history":
      return history(log, model, step)
    case "scan":
      return scan(log, model, step)
  }
}

describe("a log in memory with an index of its keys", () => {
  it.effect("reads, judges and counts as a list of all events does, whatever happens to it", () =>
    holdsEffect(fc.array(step, { minLength: 10, maxLength: 40 }), 300, (steps) =>
      Effect.gen(function* () {
        const log: Log = yield* ChangeLog.make<unknown>({ keys: "indexed", maxRevisions })
        const model: Model = { events: [], ids: new Map(), holds: new Map(), head: 0, floor: 0 }
        for (const step of steps) {
          yield* run(log, model, step)
          const { floor, head } = yield* log.head
          expect([floor.seq, head.seq]).toEqual([model.floor, model.head])
        }
      })
    )
  )

  it.effect("under a recorder's storage names the record whose entry has a conflict", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ keys: "indexed" })
      const storage = ChangeLog.asStorage(log, (n: number) => ({
        changes: [ChangeLog.put("/a", n)],
        expect: [{ key: "/a", generation: n }]
      }))
      const error = yield* Effect.flip(storage.save([0, 1, 5]))
      expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 2 }] })
      expect((yield* log.head).head.seq).toBe(0)
      yield* storage.save([0, 1])
      expect((yield* log.head).head.seq).toBe(2)
    })
  )

  it.effect("beside a storage refuses what an entry expects before anything is stored", () =>
    Effect.gen(function* () {
      const log = yield* ChangeLog.make<number>({ keys: "indexed" })
      const table = yield* Storage.memory({ id: "n", columns: { n: Storage.Column.integer } })
      const toEntry = ({ n }: { readonly n: number }): ChangeLog.Entry<number> => ({
        changes: [ChangeLog.put("/a", n)],
        ...(n === 1 ? { expect: [{ key: "/a", generation: 0 }] } : {})
      })
      const storage = yield* ChangeLog.withLog(table, { log, toEntry })
      const error = yield* Effect.flip(storage.save([{ n: 0 }, { n: 1 }]))
      expect(error).toMatchObject({ kind: "Poison", bad: [{ index: 1 }] })
      expect(yield* storage.load({})).toEqual([])
    })
  )
})
