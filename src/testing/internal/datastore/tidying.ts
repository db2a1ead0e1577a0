/** The laws of what is forgotten while a store stays open. */
import { Duration, Effect } from "effect"
import type { OperationId } from "../../../internal/catalog/backend.js"
import { ensure } from "../calls.js"
import { sameData } from "../sameData.js"
import { type Draw, draw } from "../values.js"
import {
  type BackendFixture,
  type DatastoreTrial,
  datastoreLaw,
  deciding,
  type Expected,
  operation,
  shown,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

/** How long a reply is remembered at least, and when it is forgotten by the next tidying. */
const lessThanDay = Duration.hours(23)
const untilBehindDay = Duration.hours(2)

/** The most clients without a reply whose windows stay. */
const maxClients = 10_000

const clients = ["a", "b", "c"]

/** Numbers of operations by client, each once. */
type Numbers = ReadonlyMap<string, ReadonlySet<number>>

const drawNumbers = (by: Draw, without: Numbers = new Map()): Numbers =>
  new Map(
    clients.map((client) => {
      const drawn = Array.from({ length: by.below(6) }, () => 1 + by.below(20))
      return [client, new Set(drawn.filter((n) => without.get(client)?.has(n) !== true))]
    })
  )

const idsOf = (numbers: Numbers): ReadonlyArray<OperationId> =>
  Array.from(numbers).flatMap(([client, all]) => Array.from(all, (n) => operation(client, n)))

/** Saves operations, of which each writes its own key, and is remembered with a reply. */
const act = ({ save, step }: DatastoreTrial, store: string, ids: ReadonlyArray<OperationId>) =>
  save(
    ids.map((id) =>
      step(store, deciding(writes([[`${id.client}${id.n}`, id.n]]), { reply: { n: id.n } }), { id })
    )
  )

const top = (numbers: Iterable<number>): number => Math.max(0, ...numbers)

/** Fails unless of each client the numbers are remembered that are above its floor, and its window is so. */
const remembers = (
  when: string,
  { look }: BackendFixture,
  store: string,
  numbers: Numbers,
  floors: ReadonlyMap<string, number>
): Effect.Effect<void, string> =>
  Effect.forEach(
    numbers,
    ([client, all]) =>
      Effect.gen(function* () {
        const floor = floors.get(client) ?? 0
        for (const n of all) {
          const { remembered, window } = yield* look(store, { id: operation(client, n) })
          const reply = n <= floor ? undefined : { n }
          yield* ensure(
            sameData(remembered?.reply, reply),
            `${when}, operation ${n} of ${shown(client)} has the reply ${shown(remembered?.reply)}, and must have ${shown(reply)}`
          )
          const expected = { top: top(all), floor }
          yield* ensure(
            sameData(window, expected),
            `${when}, the window of ${shown(client)} is ${shown(window)} instead of ${shown(expected)}`
          )
        }
      }),
    { discard: true }
  )

const union = (a: Numbers, b: Numbers): Numbers =>
  new Map(clients.map((client) => [client, new Set([...(a.get(client) ?? []), ...(b.get(client) ?? [])])]))

/** Draws which operations were before a day, and which since. */
const forgetsDrawn = (trial: DatastoreTrial, by: Draw, store: string): Effect.Effect<void, string> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { holds, logged, opened } = yield* trial.open(store)
      const tidy = trial.call("tidying", () => opened.tidy)
      const before = drawNumbers(by)
      const since = drawNumbers(by, before)
      yield* act(trial, store, idsOf(before))
      yield* trial.pass(lessThanDay)
      yield* tidy
      yield* remembers("after a tidying in less than a day", trial, store, before, new Map())
      yield* act(trial, store, idsOf(since))
      yield* trial.pass(untilBehindDay)
      const revisions = (yield* logged).length
      yield* tidy
      const floors = new Map(Array.from(before, ([client, all]) => [client, top(all)]))
      const all = union(before, since)
      for (const backend of [trial, yield* trial.another]) {
        yield* remembers("after a tidying behind a day", backend, store, all, floors)
      }
      const held = [...idsOf(before), ...idsOf(since)].map(
        ({ client, n }, index): Expected => [`${client}${n}`, n, index + 1]
      )
      yield* holds("after a tidying", held)
      const after = (yield* logged).length
      yield* ensure(after === revisions, `a tidying makes ${after} of ${revisions} revisions`)
    })
  )

/** Clients that have each sent one operation. */
const crowd = (name: string, count: number): ReadonlyArray<OperationId> =>
  Array.from({ length: count }, (_, n) => operation(`${name} ${n}`, 1))

const refused = ({ save, step }: DatastoreTrial, ids: ReadonlyArray<OperationId>) =>
  Effect.forEach(
    Array.from({ length: Math.ceil(ids.length / 1000) }, (_, n) => ids.slice(n * 1000, (n + 1) * 1000)),
    (batch) => save(batch.map((id) => step("a", () => ({ revisions: [], reply: "no" }), { id }))),
    { discard: true }
  )

const hasWindow = ({ look }: BackendFixture, id: OperationId, isKept: boolean): Effect.Effect<void, string> =>
  Effect.flatMap(look("a", { id }), ({ window }) =>
    ensure(
      window.top > 0 === isKept,
      `of more than ${maxClients} clients without a reply, the window of ${shown(id.client)} is ${shown(window)}`
    )
  )

export const datastoreLawsOfTidying: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D40",
      name: "tidy-forgets",
      group: "tidying",
      needs: ["time"],
      statement:
        "A tidying forgets the replies that are older than a day, and raises the floor of their client to the last of them; younger ones above it, other stores, values and revisions stay.",
      advice: "Raise the floor first, delete the replies up to it, and do both in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const by = draw(trial.seed)
        yield* trial.open("other")
        const others: Numbers = new Map([["a", new Set([1, 2])]])
        yield* act(trial, "other", idsOf(others))
        for (let n = 0; n < Math.min(trial.samples, 4); n++) yield* forgetsDrawn(trial, by, `store ${n}`)
        yield* remembers("after a tidying of another store", trial, "other", others, new Map())
      })
  ),
  datastoreLaw(
    {
      id: "D41",
      name: "tidy-bounds-clients",
      group: "tidying",
      needs: ["time"],
      statement:
        "Of the clients without a reply a tidying keeps the windows of the 10,000 that came last; those with a reply stay.",
      advice:
        "Order the clients by when their last operation was saved, and delete what is behind the 10,000th"
    },
    (trial) =>
      Effect.gen(function* () {
        const { opened } = yield* trial.open("a")
        const [first] = crowd("first", 1)
        const last = crowd("last", maxClients)
        const [young] = crowd("young", 1)
        yield* refused(trial, [first!])
        yield* trial.pass(Duration.hours(1))
        yield* refused(trial, last)
        yield* trial.pass(Duration.hours(25))
        yield* refused(trial, [young!])
        yield* trial.call("tidying", () => opened.tidy)
        yield* hasWindow(trial, first!, false)
        for (const id of [last[0]!, last.at(-1)!, young!]) yield* hasWindow(trial, id, true)
      })
  )
]
