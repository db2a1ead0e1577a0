/** The laws of what a save appends. */
import { Effect } from "effect"
import type { LoggedRevision, Revision } from "../../../ChangeLog.js"
import type { Broken, SaveOutcome, StoredChange, StoredValue } from "../../../internal/catalog/backend.js"
import { ensure, interruptedAfter, moments, refuses, succeeds } from "../calls.js"
import { sameData } from "../sameData.js"
import {
  type DatastoreTrial,
  datastoreLaw,
  operation,
  revisionsAfter,
  type StoreFixture,
  sameRevision,
  shown,
  type Write,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

const savedOf = (outcome: SaveOutcome | undefined): Effect.Effect<SaveOutcome & { _tag: "Saved" }, string> =>
  outcome?._tag === "Saved"
    ? Effect.succeed(outcome)
    : Effect.fail(`a save has the outcome ${shown(outcome)}`)

const isBroken = (outcome: SaveOutcome | undefined): boolean => outcome?._tag === "Broken"

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

/** A batch whose last save cannot be stored, because its key is too long for any log. */
const refusedBatch = ({ backend, step }: DatastoreTrial) =>
  backend.save(
    [
      step("a", (locked) => ({ ...writes([["k", "wrong"]])(locked), reply: 1 }), { id: operation("c", 1) }),
      step("b", writes([["k", "wrong"]], [["l", "wrong"]])),
      step("b", writes([["x".repeat(2_000), 1]]))
    ],
    undefined
  )

const broken: Broken = { _tag: "Broken", message: "it was decided otherwise" }

/** A store whose log is read all the time while a call runs. */
const readWhile = ({ logged }: StoreFixture, call: Effect.Effect<unknown, string>) =>
  Effect.gen(function* () {
    const all: Array<ReadonlyArray<LoggedRevision<StoredValue>>> = []
    const reading = Effect.forever(
      Effect.andThen(
        Effect.tap(logged, (seen) => Effect.sync(() => all.push(seen))),
        Effect.yieldNow()
      )
    )
    yield* Effect.raceFirst(reading, call)
    all.push(yield* logged)
    return all
  })

const nothingEarly = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const { open, save, step } = trial
    const store = yield* open("a")
    yield* open("b")
    const allowed: Array<Revision> = []
    const calls = Effect.forEach(Array.from({ length: 6 }), (_, n) =>
      Effect.gen(function* () {
        yield* refuses(trial, "saving a key that is too long", "StorageError", () => refusedBatch(trial))
        const outcomes = yield* save([step("a", writes([["k", n]])), step("a", () => broken)])
        allowed.push(...(yield* savedOf(outcomes[0])).revisions)
      })
    )
    const views = yield* readWhile(store, calls)
    for (const view of views) {
      const strange = view.find(({ revision }) => !allowed.some((one) => sameRevision(one, revision)))
      yield* ensure(
        strange === undefined,
        `a reader of the log got ${shown(strange?.revision)}, which no outcome names`
      )
    }
  })

const interrupted = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const { backend, open, save, step } = trial
    const a = yield* open("a")
    const b = yield* open("b")
    for (const [n, turns] of moments.entries()) {
      const batch = [step("a", writes([["k", n]])), step("b", writes([["k", n]], [["l", n]]))]
      yield* interruptedAfter(trial, turns, "a save", backend.save(batch, undefined))
      // What is saved next waits for what the interrupted save has left.
      yield* save([step("a", () => ({ revisions: [] })), step("b", () => ({ revisions: [] }))])
      const of = (store: StoreFixture) =>
        Effect.map(store.load, ({ values }) => values.filter(({ data }) => data === n).length)
      const left = [yield* of(a), yield* of(b)]
      yield* ensure(
        sameData(left, [0, 0]) || sameData(left, [1, 2]),
        `a save that was interrupted after ${turns} turns left ${left[0]} of 1 and ${left[1]} of 2 values`
      )
    }
    yield* save([step("a", writes([["end", 1]])), step("b", writes([["end", 1]]))])
    for (const { logged } of [a, b]) {
      const seqs = (yield* logged).map(({ revision }) => revision.seq)
      yield* ensure(
        seqs.every((seq, n) => seq === n + 1),
        `after interrupted saves the log has the seqs ${shown(seqs)}`
      )
    }
  })

const appending: ReadonlyArray<DatastoreLaw> = [
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
        const saving = step("a", (locked) => {
          seen.push(locked.logged)
          return locked.logged === undefined ? writes([["x", 1]], [["y", 2]])(locked) : { revisions: [] }
        })
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

const atomic: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D16",
      name: "all-or-nothing",
      group: "saving",
      statement:
        "A batch with a save that cannot be stored fails as NotStored, and nothing of it is in any store.",
      advice: "Write values, heads, replies and logs of all stores in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const a = yield* trial.open("a")
        const b = yield* trial.open("b")
        yield* trial.save([trial.step("a", writes([["k", 1]])), trial.step("b", writes([["k", 1]]))])
        const error = yield* refuses(trial, "saving a key that is too long", "StorageError", () =>
          refusedBatch(trial)
        )
        yield* ensure(error.outcome === "NotStored", `its outcome is ${shown(error.outcome)}`)
        for (const store of [a, b]) {
          yield* store.holds("after a batch that failed", [["k", 1, 1]])
          const { length } = yield* store.logged
          yield* ensure(length === 1, `after a batch that failed, a log has ${length} revisions`)
        }
        const { remembered, totals, window } = yield* trial.look("a", { id: operation("c", 1) })
        yield* ensure(
          remembered === undefined && window.top === 0 && totals.records === 1,
          "a batch that failed changed replies, windows or totals"
        )
        yield* trial.save([trial.step("a", writes([["k", 2]])), trial.step("b", writes([["k", 2]]))])
        for (const { holds } of [a, b]) yield* holds("after the next batch", [["k", 2, 2]])
      })
  ),
  datastoreLaw(
    {
      id: "D17",
      name: "shown-after-the-commit",
      group: "saving",
      statement:
        "A reader of the log gets revisions that are committed, and never one of a save that failed.",
      advice: "Append to the log in the transaction, and ring after COMMIT"
    },
    nothingEarly
  ),
  datastoreLaw(
    {
      id: "D18",
      name: "broken-stops-its-store",
      group: "saving",
      statement:
        "A broken save leaves out itself and the later saves of its store in the batch; what was before it and other stores are saved.",
      advice: "Skip what follows a Broken in its store, and ask the decisions of the next batch again"
    },
    ({ look, open, save, step }) =>
      Effect.gen(function* () {
        const a = yield* open("a")
        const b = yield* open("b")
        const outcomes = yield* save([
          step("a", writes([["before", 1]])),
          step("a", () => broken, { id: operation("c", 1) }),
          step("b", writes([["k", 1]])),
          step("a", (locked) => ({ ...writes([["after", 1]])(locked), reply: 1 }), { id: operation("c", 2) }),
          step("b", writes([["l", 2]]))
        ])
        yield* ensure(
          sameData(outcomes.map(isBroken), [false, true, false, true, false]),
          `the outcomes are ${shown(outcomes.map(({ _tag }) => _tag))}`
        )
        yield* a.holds("after a broken save", [["before", 1, 1]])
        yield* b.holds("after a broken save of another store", [
          ["k", 1, 1],
          ["l", 2, 2]
        ])
        const { window } = yield* look("a", { id: operation("c", 2) })
        yield* ensure(window.top === 0, "a save after a broken one is remembered")
        yield* save([step("a", writes([["next", 2]]))])
        yield* a.holds("after the next batch", [
          ["before", 1, 1],
          ["next", 2, 2]
        ])
      })
  ),
  datastoreLaw(
    {
      id: "D19",
      name: "interrupted-saves",
      group: "saving",
      statement: "A save that is interrupted, at whatever moment, has saved all of its stores or none.",
      advice: "Commit once, roll back on interruption, and give connections and locks back"
    },
    interrupted
  )
]

export const datastoreLawsOfSaving: ReadonlyArray<DatastoreLaw> = [...appending, ...atomic]
