/** The laws of what a save appends. */
import { Effect } from "effect"
import type { LoggedRevision, Revision } from "../../../ChangeLog.js"
import type { SaveOutcome, StoredChange, StoredValue } from "../../../internal/catalog/backend.js"
import { ensure, succeeds } from "../calls.js"
import { sameData } from "../sameData.js"
import {
  type DatastoreTrial,
  datastoreLaw,
  revisionsAfter,
  type StoreFixture,
  sameRevision,
  shown,
  type Write,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

export const savedOf = (
  outcome: SaveOutcome | undefined
): Effect.Effect<SaveOutcome & { _tag: "Saved" }, string> =>
  outcome?._tag === "Saved"
    ? Effect.succeed(outcome)
    : Effect.fail(`a save has the outcome ${shown(outcome)}`)

/** The changes of a revision as its writer gave them. */
const changesOf = ({ events }: LoggedRevision<StoredValue>): ReadonlyArray<StoredChange> =>
  events.map((event) =>
    event._tag === "Put"
      ? { _tag: "Put", key: event.key, value: event.value }
      : { _tag: "Delete", key: event.key }
  )

/** Fails unless the log has these revisions and no others. */
const logHas = (
  when: string,
  { logged }: StoreFixture,
  revisions: ReadonlyArray<Revision>,
  changes: ReadonlyArray<ReadonlyArray<StoredChange>>
): Effect.Effect<void, string> =>
  Effect.flatMap(logged, (all) =>
    Effect.gen(function* () {
      yield* ensure(
        all.length === changes.length,
        `${when}, the log has ${all.length} revisions instead of ${changes.length}`
      )
      for (const [n, one] of all.entries()) {
        yield* ensure(
          one.revision.seq === n + 1,
          `${when}, revision ${n + 1} of the log is ${one.revision.seq}`
        )
        yield* ensure(
          sameRevision(one.revision, revisions[n]),
          `${when}, the log has ${shown(one.revision)}, and the outcome names ${shown(revisions[n])}`
        )
        yield* ensure(
          sameData(changesOf(one), changes[n]),
          `${when}, revision ${n + 1} has ${shown(changesOf(one))} instead of ${shown(changes[n])}`
        )
      }
    })
  )

const first: Revision = { epoch: "", seq: 0, tag: 0 }

const inOrder = ({ another, open, save, step }: DatastoreTrial) =>
  Effect.gen(function* () {
    const store = yield* open("a")
    yield* open("b")
    const given: ReadonlyArray<ReadonlyArray<ReadonlyArray<Write>>> = [
      [
        [["x", 1]],
        [
          ["y", 2],
          ["z", 3, { session: "s" }]
        ]
      ],
      [],
      [
        [
          ["x", undefined],
          ["y", "again"]
        ]
      ],
      [[["last", null]]]
    ]
    const outcomes: Array<SaveOutcome & { _tag: "Saved" }> = []
    for (const part of [given.slice(0, 3), given.slice(3)]) {
      const all = yield* save([
        ...part.map((one) => step("a", writes(...one))),
        step("b", writes([["x", 1]]))
      ])
      for (const outcome of all.slice(0, part.length)) outcomes.push(yield* savedOf(outcome))
    }
    for (const [n, { revisions }] of outcomes.entries()) {
      yield* ensure(
        revisions.length === given[n]?.length,
        `save ${n} of ${given[n]?.length} revisions has ${revisions.length} in its outcome`
      )
    }
    const revisions = outcomes.flatMap(({ revisions }) => revisions)
    const changes = revisionsAfter(first, ...given.flat())
    yield* logHas("after two batches", store, revisions, changes)
    const again = yield* Effect.flatMap(another, ({ open }) => open("a"))
    yield* logHas("read by another backend", again, revisions, changes)
    for (const [n, { head }] of outcomes.entries()) {
      const last = outcomes
        .slice(0, n + 1)
        .flatMap(({ revisions }) => revisions)
        .at(-1)
      yield* ensure(
        sameRevision(head, last),
        `save ${n} has the head ${shown(head)} instead of ${shown(last)}`
      )
    }
  })

export const datastoreLawsOfSaving: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D11",
      name: "appends-in-order",
      group: "saving",
      statement:
        "Outcomes are in the order of the saves, and name the revisions that the log has, without gaps, as they were decided.",
      advice: "Number the revisions of a store in the order of its saves, while its head is locked"
    },
    inOrder
  ),
  datastoreLaw(
    {
      id: "D12",
      name: "nothing-appended",
      group: "saving",
      statement: "A decision without revisions appends none, and a save of nothing has no outcomes.",
      advice: "Leave the head as it is when there is nothing to append"
    },
    ({ open, save, step }) =>
      Effect.gen(function* () {
        const { holds, log } = yield* open("a")
        yield* save([step("a", writes([["k", 1]]))])
        yield* save([])
        const outcomes = yield* save([step("a", () => ({ revisions: [] }))])
        const { head, revisions } = yield* savedOf(outcomes[0])
        const { head: last } = yield* Effect.orDie(log.head)
        yield* ensure(revisions.length === 0 && last.seq === 1, "a decision without revisions appended one")
        yield* ensure(
          sameRevision(head, last),
          `its outcome has the head ${shown(head)} instead of ${shown(last)}`
        )
        yield* holds("after a decision without revisions", [["k", 1, 1]])
      })
  ),
  datastoreLaw(
    {
      id: "D13",
      name: "finds-its-own-revision",
      group: "saving",
      statement: "A save that is tried again after its commit sees the last revision that it has appended.",
      advice:
        "Write the name of a save as the id of its last revision's entry, and look for it under the lock"
    },
    (trial) =>
      Effect.gen(function* () {
        const { another, open, save, step } = trial
        yield* open("a")
        const seen: Array<Revision | undefined> = []
        const { decide, keys } = writes([["x", 1]], [["y", 2]])
        const saving = step(
          "a",
          (locked) => {
            seen.push(locked.logged)
            return locked.logged === undefined ? decide(locked) : { revisions: [] }
          },
          { keys }
        )
        const { revisions } = yield* savedOf((yield* save([saving]))[0])
        yield* save([step("a", writes([["z", 3]]))])
        const backend = yield* another
        const { holds } = yield* backend.open("a")
        for (const one of [trial, backend]) yield* one.save([saving])
        yield* ensure(seen[0] === undefined, "a save that was not tried before sees a revision of its own")
        for (const again of seen.slice(-2)) {
          yield* ensure(
            sameRevision(again, revisions[1]),
            `a save that was tried again sees ${shown(again)} instead of ${shown(revisions[1])}`
          )
        }
        yield* holds("after a save was tried again", [
          ["x", 1, 1],
          ["y", 2, 2],
          ["z", 3, 3]
        ])
      })
  ),
  datastoreLaw(
    {
      id: "D14",
      name: "saves-when-run",
      group: "saving",
      statement: "Making a save does nothing until it is run, and each run decides anew.",
      advice: "Start the work inside of the effect, with Effect.suspend or Effect.tryPromise"
    },
    (trial) =>
      Effect.gen(function* () {
        const { backend, open, step } = trial
        const { holds } = yield* open("a")
        let runs = 0
        const batches = [1, 2].map((n) => [step("a", writes([[`k${n}`, ++runs]]))])
        const made = batches.map((batch) => backend.save(batch, undefined))
        yield* holds("before a save was run", [])
        for (const one of made) yield* succeeds(trial, "running a save that was made before", one)
        yield* holds("after both were run", [
          ["k1", 1, 1],
          ["k2", 2, 2]
        ])
      })
  ),
  datastoreLaw(
    {
      id: "D15",
      name: "many-in-a-batch",
      group: "saving",
      statement: "A batch of 600 saves to three stores is saved, with 600 keys in one revision too.",
      advice: "Send values as one parameter, or in parts: databases bound the number of parameters"
    },
    ({ open, save, step }) =>
      Effect.gen(function* () {
        const stores = yield* Effect.forEach(["a", "b", "c"], (id) => open(id))
        const wide = Array.from({ length: 600 }, (_, n): Write => [`k${n}`, n])
        yield* save(
          Array.from({ length: 600 }, (_, n) =>
            step(stores[n % 3]!.id, writes([[`k${Math.floor(n / 3)}`, n]]))
          )
        )
        for (const [s, { holds }] of stores.entries()) {
          yield* holds(
            "after a batch of 600 saves",
            Array.from({ length: 200 }, (_, n) => [`k${n}`, n * 3 + s, n + 1] as const)
          )
        }
        yield* save([step("a", writes(wide))])
        yield* stores[0]!.holds(
          "after a revision of 600 keys",
          wide.map(([key, data]) => [key, data!, 201] as const)
        )
      })
  )
]
