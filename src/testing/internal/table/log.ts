/** The laws of a table's log: its changes are in the same commit as its rows. */
import { Effect, Option } from "effect"
import type { LoggedRevision } from "../../../ChangeLog.js"
import { compileNormalise } from "../../../internal/columns/checkRow.js"
import { decodeRow } from "../../../internal/columns/rowCodec.js"
import { keyOf, prefixOf, Query, type TableChange, Write, type WriteResult } from "../../../Table.js"
import { ensure, unless } from "../calls.js"
import { sameData } from "../sameData.js"
import { draw, randomRow } from "../values.js"
import { countUp, meanwhile } from "./concurrency.js"
import {
  brief,
  loggedOf,
  numbers,
  type TableTrial,
  type Things,
  tableLaw,
  thing,
  things,
  uuid
} from "./fixture.js"
import type { TableLaw } from "./subject.js"

/** A change with its place in the log. */
interface Logged {
  readonly key: string
  readonly seq: number
  readonly change: TableChange
}

const changesIn = (logged: ReadonlyArray<LoggedRevision<TableChange>>): ReadonlyArray<Logged> =>
  logged.flatMap(({ events, revision }) =>
    events.flatMap((event) =>
      event._tag === "Put" ? [{ key: event.key, seq: revision.seq, change: event.value }] : []
    )
  )

/** The changes of the table's rows, in order. */
const changes = (trial: Pick<TableTrial<Things>, "log">) => Effect.map(loggedOf(trial), changesIn)

const revisionOf = (result: WriteResult<Things> | undefined): number | undefined =>
  result?._tag === "Written" ? Option.getOrUndefined(result.revision)?.seq : undefined

/** Writes of each kind, with the key, op and row of the change that each has. */
const eachKind: ReadonlyArray<
  readonly [write: Write<Things>, op: TableChange["op"], id: string, row: object | undefined]
> = [
  [Write.insert(thing(1)), "Inserted", uuid(1), thing(1)],
  [Write.replace(thing(2)), "Inserted", uuid(2), thing(2)],
  [Write.patch(uuid(1), { n: 10 }), "Updated", uuid(1), thing(1, { n: 10 })],
  [Write.replace(thing(1, { note: "x" })), "Updated", uuid(1), thing(1, { note: "x" })],
  [Write.delete(uuid(2)), "Deleted", uuid(2), undefined]
]

const decode = decodeRow(things.columns, "id")
const normalise = compileNormalise(things.columns)

/** The last n of the thing, by the log up to a revision. */
const lastBy = (logged: ReadonlyArray<Logged>, seq: number): number => {
  const last = logged.filter((one) => one.seq <= seq && one.key === keyOf(things, uuid(1))).at(-1)
  return Number(last?.change.row?.n ?? 0)
}

const changing: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B42",
      name: "each-change-is-logged",
      group: "log",
      statement: "Each change is in the log with its key and its op, at the revision that its outcome names.",
      needs: ["log"],
      advice: "Append the changes in the transaction of their rows, and return its revision with each outcome"
    },
    (trial) =>
      Effect.gen(function* () {
        for (const [write, op, id] of eachKind) {
          const [result] = yield* trial.write([write])
          const last = (yield* changes(trial)).at(-1)
          const what = `the change of a ${write._tag}`
          yield* ensure(
            last?.key === keyOf(things, id) && last.change.op === op,
            `${what} is logged as ${last?.change.op} of ${last?.key}, and must be ${op} of ${keyOf(things, id)}`
          )
          const named = revisionOf(result)
          yield* ensure(
            named === last?.seq,
            `${what} is in revision ${last?.seq}, and its outcome names ${named}`
          )
        }
        const logged = yield* changes(trial)
        yield* ensure(
          logged.length === eachKind.length,
          `${eachKind.length} changes are ${logged.length} in the log`
        )
        const results = yield* trial.write(numbers(5).map((n) => Write.insert(thing(10 + n))))
        const seen = (yield* changes(trial)).slice(eachKind.length)
        for (const [n, result] of results.entries()) {
          const at = seen.filter(({ key }) => key === keyOf(things, uuid(10 + n)))
          yield* ensure(
            at.length === 1 && at[0]?.seq === revisionOf(result),
            `an insert of a call of five is logged ${at.length} times, or at another revision than its outcome names`
          )
        }
      })
  ),
  tableLaw(
    {
      id: "B43",
      name: "changes-have-their-rows",
      group: "log",
      statement: "A logged row, where there is one, is the row after the change; a deletion has none.",
      needs: ["log"],
      advice: "Encode the row that the statement returned, by `encodeRow`"
    },
    (trial) =>
      Effect.gen(function* () {
        for (const [write, , , row] of eachKind) {
          yield* trial.write([write])
          const encoded = (yield* changes(trial)).at(-1)?.change.row
          if (encoded === undefined) continue
          const seen = decode(encoded)
          yield* ensure(
            row !== undefined && sameData(seen, normalise(row)),
            `the logged row of a ${write._tag} is not the row after it`
          )
        }
        const by = draw(trial.seed)
        for (const n of numbers(10)) {
          // It has values of these columns alone.
          const row = randomRow(things.columns, ["n", "note"], thing(n, { tag: `${n}` }), by)
          yield* trial.done(Write.replace(row as ReturnType<typeof thing>))
          const encoded = (yield* changes(trial)).at(-1)?.change.row
          yield* ensure(
            encoded === undefined || sameData(decode(encoded), normalise(row)),
            `with the seed ${trial.seed}, a logged row is not the row that was written`
          )
        }
      })
  ),
  tableLaw(
    {
      id: "B44",
      name: "changed-columns-are-named",
      group: "log",
      statement: "The columns of a logged change, where they are named, hold all that have changed.",
      needs: ["log"],
      advice: "Name the columns that differ, or those of the patch, or leave them out: they mean all"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1))
        for (const [write, changed] of [
          [Write.patch(uuid(1), { n: 2, note: "x" }), ["n", "note"]],
          [Write.patch(uuid(1), { tag: null, n: 2 }), ["tag"]],
          [Write.replace(thing(1, { n: 3, tag: null })), ["n", "note"]]
        ] as const) {
          yield* trial.done(write)
          const named = (yield* changes(trial)).at(-1)?.change.columns
          const missing = changed.filter((name) => named !== undefined && !named.includes(name))
          const strange = (named ?? []).filter((name) => !Object.hasOwn(things.columns, name))
          yield* ensure(
            missing.length === 0 && strange.length === 0,
            `the columns of a ${write._tag} are ${named?.join(", ")}, and ${changed.join(", ")} have changed`
          )
        }
      })
  ),
  tableLaw(
    {
      id: "B45",
      name: "changes-name-their-call",
      group: "log",
      statement:
        "Each logged change names the call of `write` that made it: by its name, or by one of its own.",
      needs: ["log"],
      advice: "Put `batch` into each change that the source logs"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.write([Write.insert(thing(1)), Write.insert(thing(2)), Write.delete(uuid(1))], "mine")
        yield* trial.write([Write.insert(thing(3)), Write.insert(thing(4))])
        yield* trial.write([Write.insert(thing(5)), Write.deleteAll])
        const names = (yield* changes(trial)).map(({ change }) => change.batch)
        const [mine, second, third] = [names.slice(0, 3), names.slice(3, 5), names.slice(5)]
        yield* ensure(
          mine.every((name) => name === "mine"),
          `changes of the call "mine" name ${mine.join(", ")}`
        )
        yield* ensure(
          second.length === 2 && second.every((name) => typeof name === "string" && name === second[0]),
          `changes of one call name ${second.join(", ")}`
        )
        yield* ensure(
          third.length === 2 && third.every((name) => name === third[0]) && third[0] !== second[0],
          `two calls have the names ${second[0]} and ${third.join(", ")}`
        )
      })
  ),
  tableLaw(
    {
      id: "B46",
      name: "nothing-else-is-logged",
      group: "log",
      statement: "What is Unchanged or refused is not in the log, and its outcome names no revision.",
      needs: ["log"],
      advice: "Log a change only if its statement has changed a row"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1))
        const before = (yield* changes(trial)).length
        const results = yield* trial.write([
          Write.insert(thing(1, { n: 2 })),
          Write.delete(uuid(9)),
          Write.delete(uuid(1), Query.eq("n", 9)),
          Write.patch(uuid(9), { n: 1 }),
          Write.patch(uuid(1), { n: 1 }, Query.eq("n", 9)),
          Write.patch(uuid(1), {})
        ])
        const after = yield* changes(trial)
        yield* ensure(
          after.length === before,
          `the log has ${after.length - before} changes of writes that did nothing`
        )
        const named = results.filter((result) => revisionOf(result) !== undefined).map(brief)
        yield* ensure(named.length === 0, `outcomes that are ${named.join(", ")} name a revision`)
        yield* trial.done(Write.deleteAll)
        const count = (yield* changes(trial)).length
        const [again] = yield* trial.write([Write.deleteAll])
        yield* ensure(
          (yield* changes(trial)).length === count && revisionOf(again) === undefined,
          "a DeleteAll of an empty table is logged"
        )
      })
  ),
  tableLaw(
    {
      id: "B47",
      name: "delete-all-is-changed",
      group: "log",
      statement: "A DeleteAll is logged as Changed, with the prefix of the table's keys as its key.",
      needs: ["log"],
      advice: "Append one change for all rows: `Changed` with the key `<name>/`"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1), thing(2))
        const [result] = yield* trial.write([Write.deleteAll])
        const last = (yield* changes(trial)).at(-1)
        yield* ensure(
          last?.key === prefixOf(things) && last.change.op === "Changed",
          `a DeleteAll is logged as ${last?.change.op} of ${last?.key}`
        )
        yield* ensure(last?.seq === revisionOf(result), "the outcome of a DeleteAll names another revision")
      })
  )
]

const revisions: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B48",
      name: "reads-name-their-revision",
      group: "log",
      statement: "Each read names a revision; after a write it is at least the one of that write.",
      needs: ["log"],
      advice: "Read the log's head in the statement that reads the rows"
    },
    (trial) =>
      Effect.gen(function* () {
        const { table } = trial
        for (const n of numbers(3)) {
          const [result] = yield* trial.write([Write.insert(thing(n))])
          const written = revisionOf(result) ?? Number.NaN
          for (const [what, read] of [
            ["get", table.get(uuid(n))],
            ["get of no row", table.get(uuid(99))],
            ["getMany", table.getMany([uuid(n)])],
            ["list", table.list()],
            ["count", table.count()]
          ] as const) {
            const { revision } = yield* Effect.mapError(
              read as Effect.Effect<{ readonly revision?: { readonly seq: number } | undefined }, unknown>,
              (error) => `${what} failed with ${String(error)}`
            )
            yield* ensure(
              revision !== undefined && revision.seq >= written,
              `${what} names the revision ${revision?.seq} after a write of revision ${written}`
            )
          }
        }
      })
  ),
  tableLaw(
    {
      id: "B49",
      name: "revision-is-held",
      group: "log",
      statement: "A read holds every change up to the revision that it names, also while writes are done.",
      needs: ["log"],
      advice: "Read the head in the same statement as the rows, or before them; never after them"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { n: 0 }))
        const reader = Effect.gen(function* () {
          const { revision, value } = yield* trial.read(uuid(1))
          const n = Option.getOrUndefined(value)?.n ?? 0
          const known = lastBy(yield* changes(trial), revision?.seq ?? 0)
          yield* ensure(
            n >= known,
            `a read of revision ${revision?.seq} shows ${n}, and the log has ${known} by then`
          )
        })
        yield* meanwhile(countUp(trial, 20), reader)
      })
  ),
  tableLaw(
    {
      id: "B50",
      name: "one-commit",
      group: "log",
      statement: "A change that a read shows is in the log, and a read shows a change that is in the log.",
      needs: ["log"],
      advice: "Commit rows and changes in one transaction: not one after the other, not one without the other"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { n: 0 }))
        const reader = Effect.gen(function* () {
          const shown = (yield* trial.get(uuid(1)))?.n ?? 0
          const logged = lastBy(yield* changes(trial), Number.POSITIVE_INFINITY)
          yield* ensure(logged >= shown, `a read shows ${shown}, and the log has ${logged} only`)
          const then = (yield* trial.get(uuid(1)))?.n ?? 0
          yield* ensure(then >= logged, `the log has ${logged}, and a read shows ${then} only`)
        })
        yield* meanwhile(countUp(trial, 20), reader)
        const { value } = yield* trial.read(uuid(1))
        const n = Option.getOrUndefined(value)?.n
        yield* unless(n === 20 ? undefined : `the last of 20 patches is not there, but ${n}`)
      })
  )
]

export const lawsOfLog: ReadonlyArray<TableLaw> = [...changing, ...revisions]
