/** The durations that calls take, by the call and the name of its duration. */
import { type Duration, Effect, Schema, type Scope } from "effect"
import * as Actor from "../../../src/Actor.js"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as MergePool from "../../../src/MergePool.js"
import * as Projection from "../../../src/Projection.js"
import * as Recorder from "../../../src/Recorder.js"
import * as Storage from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"

type Given = Duration.DurationInput

/** Calls that fail with nothing: a wrong duration is a defect, and what was called goes on. */
interface Endless {
  readonly name: string
  readonly option: string
  /** Makes what is called: the call, and one that succeeds while it is open. */
  readonly make: Effect.Effect<
    {
      readonly call: (given: Given) => Effect.Effect<unknown, unknown>
      readonly works: Effect.Effect<unknown, unknown>
    },
    unknown,
    Scope.Scope
  >
}

const keys = Table.define({ name: "keys", columns: { id: Storage.Column.text }, id: "id" })

const anActor = Actor.make<string, string, void>(() => ({
  acquire: Effect.succeed("a resource"),
  onBatch: () => Effect.void,
  report: () => undefined
}))

const asks = (actor: Actor.Actor<string, string, void>) => actor.ask(() => Effect.void)

export const endless: ReadonlyArray<Endless> = [
  {
    name: "closeWithin of an actor",
    option: "closeWithin",
    make: Effect.map(anActor, (actor) => ({ call: actor.closeWithin, works: asks(actor) }))
  },
  {
    name: "ask of an actor",
    option: "limit",
    make: Effect.map(anActor, (actor) => ({
      call: (limit) => actor.ask(() => Effect.void, { limit }),
      works: asks(actor)
    }))
  },
  {
    name: "closeWithin of a recorder",
    option: "closeWithin",
    make: Effect.map(Recorder.make(Storage.memory<string>()), (recorder) => ({
      call: recorder.closeWithin,
      works: recorder.saveDurable("a record")
    }))
  },
  {
    name: "closeWithin of a live table",
    option: "closeWithin",
    make: Effect.map(
      Effect.flatMap(Table.memory(keys), (table) => LiveTable.make(table)),
      (live) => ({
        call: live.closeWithin,
        works: live.insert({ id: "a" })
      })
    )
  },
  {
    name: "closeWithin of a catalog of stores",
    option: "closeWithin",
    make: Effect.map(
      Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend)),
      (stores) => ({
        call: stores.closeWithin,
        works: stores.open({ id: "a" })
      })
    )
  },
  {
    name: "closeWithin of a catalog of pools",
    option: "closeWithin",
    make: Effect.map(
      Effect.flatMap(MergePool.memory(), (backend) => MergePool.make(backend)),
      (pools) => ({
        call: pools.closeWithin,
        works: pools.open({ strategies: { title: MergePool.last<string>() } })
      })
    )
  }
]

const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

const projecting = <A, E>(
  use: (projection: Projection.Of<typeof counts>, head: ChangeLog.Revision) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
    const { head } = yield* log.head
    return yield* use(yield* Projection.make(counts, log), head)
  }).pipe(Effect.scoped)

/** Calls with an error of their own. */
export const typed: ReadonlyArray<
  readonly [name: string, call: (given: Given) => Effect.Effect<unknown, unknown>, error: object]
> = [
  [
    "awaitApplied",
    (timeout) => projecting((projection, head) => projection.awaitApplied(head, timeout)),
    { _tag: "NotApplied", reason: "Refused" }
  ],
  [
    "project at least at a revision",
    (timeout) => projecting((projection, head) => projection.project("a", Projection.atLeast(head, timeout))),
    { _tag: "ProjectionError", reason: "Refused" }
  ],
  [
    "get of a live table",
    (wait) =>
      Effect.scoped(
        Effect.flatMap(
          Effect.flatMap(Table.memory(keys), (table) => LiveTable.make(table)),
          (live) => live.get("a", { wait })
        )
      ),
    { _tag: "InvalidQuery", part: "wait" }
  ]
]
