/** The writes of a table over its source: checked, split into calls, and each with one outcome, whatever the source does. */
import { Effect, Either, Option } from "effect"
import { StorageError } from "../../Storage.js"
import { type CheckedAnswer, compileCheckAnswer } from "../columns/checkAnswer.js"
import { type CheckedWrite, compileCheckWrite, idOfWrite } from "../columns/checkWrite.js"
import type { AnyRow } from "../columns/rowCodec.js"
import { idOfRow } from "../columns/rowStore.js"
import { runsOf } from "../columns/writeRuns.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import { randomName } from "../random.js"
import {
  type Row,
  type Source,
  type Table,
  WriteRefused,
  type WriteResult,
  type Written
} from "./contract.js"
import { calling, malformedWrite, refusalOf, revisionOf } from "./errors.js"

type Writes<D extends AnyDefinition> = Pick<
  Table<D>,
  "write" | "insert" | "replace" | "patch" | "delete" | "deleteAll"
>

/** A write of a call, and its place there. */
interface Placed {
  readonly at: number
  readonly write: CheckedWrite
}

/** Compiles the check of the outcome that a source gives for a write. */
const compileCheckOutcome = <D extends AnyDefinition>({ columns, id, name }: D) => {
  const checks = compileCheckAnswer(columns, id)

  /** Checks the row after a write: one with the write's id, and none after a deletion. */
  const rowAfter = (write: CheckedWrite, given: unknown): CheckedAnswer<Option.Option<AnyRow>> => {
    if (write._tag === "Delete" || write._tag === "DeleteAll") {
      return { _tag: "Answer", value: Option.none() }
    }
    if (!Option.isOption(given) || Option.isNone(given)) {
      return { _tag: "Wrong", problem: `the outcome of ${write._tag} has no row` }
    }
    const row = checks.row(given.value)
    if (row._tag === "Wrong") return row
    return idOfRow(id, row.value) === idOfWrite(id, write)
      ? { _tag: "Answer", value: Option.some(row.value) }
      : { _tag: "Wrong", problem: "the row of an outcome has another id than its write" }
  }

  return (write: CheckedWrite, given: unknown): WriteResult<D> => {
    if (given instanceof WriteRefused || given instanceof StorageError) return given
    const written = (given ?? {}) as { readonly [key: string]: unknown }
    const { _tag, change, revision, row } = written
    if (_tag !== "Written" || (change !== "Changed" && change !== "Unchanged")) {
      return malformedWrite(name, "an outcome is neither Written, WriteRefused nor a StorageError")
    }
    const checked = rowAfter(write, row)
    if (checked._tag === "Wrong") return malformedWrite(name, checked.problem)
    const named = Option.isOption(revision) ? Option.getOrUndefined(revision) : null
    const own = revisionOf(named)
    if (named !== undefined && own === undefined) {
      return malformedWrite(name, "an outcome has no Option of a revision")
    }
    return {
      _tag: "Written",
      // A checked row has the columns of the definition with their types.
      row: checked.value as Option.Option<Row<D>>,
      change,
      revision: Option.fromNullable(own)
    }
  }
}

/** Makes one call of a source, with an outcome for each of its writes. */
const makeCall = <D extends AnyDefinition>(definition: D, source: Source<D>) => {
  const { name } = definition
  const checkOutcome = compileCheckOutcome(definition)
  const outcomes = (run: ReadonlyArray<Placed>, given: unknown): ReadonlyArray<WriteResult<D>> => {
    if (!Array.isArray(given) || given.length !== run.length) {
      const seen = Array.isArray(given) ? String(given.length) : "no array of"
      const problem = `${seen} outcomes for ${run.length} writes`
      return run.map(() => malformedWrite(name, problem))
    }
    return run.map(({ write }, at) => checkOutcome(write, given[at]))
  }
  return (run: ReadonlyArray<Placed>, batch: string): Effect.Effect<ReadonlyArray<WriteResult<D>>> =>
    Effect.match(
      calling(name, () =>
        source.write(
          // A checked write has the shape of Write, and its values the types of the columns.
          run.map(({ write }) => write as unknown as Write<D>),
          batch
        )
      ),
      {
        onFailure: (error) => {
          const failure = error instanceof StorageError ? error : malformedWrite(name, error.message)
          return run.map(() => failure)
        },
        onSuccess: (given) => outcomes(run, given)
      }
    )
}

const noWrites = new WriteRefused({
  reason: "Invalid",
  message: "the writes must be an array: pass one with the writes to do"
})

/** Makes the writes of a table. */
export const makeWrites = <D extends AnyDefinition>(
  definition: D,
  source: Source<D>,
  maxBatch: number,
  random: Int32Array
): Writes<D> => {
  const check = compileCheckWrite(definition)
  const call = makeCall(definition, source)

  const write: Table<D>["write"] = (writes, batch) =>
    Effect.suspend(() => {
      if (!Array.isArray(writes)) return Effect.succeed([noWrites])
      const results: Array<WriteResult<D>> = new Array(writes.length)
      const valid: Array<Placed> = []
      for (const [at, given] of writes.entries()) {
        const checked = check(given)
        if (checked._tag === "InvalidWrite") results[at] = refusalOf(checked)
        else valid.push({ at, write: checked })
      }
      const name = batch ?? randomName(random)
      const runs = runsOf(valid, maxBatch, ({ write }) => idOfWrite(definition.id, write))
      const inOrder = Effect.forEach(
        runs,
        (run) =>
          Effect.map(call(run, name), (outcomes) => {
            for (const [n, { at }] of run.entries()) results[at] = outcomes[n] as WriteResult<D>
          }),
        { discard: true }
      )
      return Effect.as(inOrder, results)
    })

  const one = (given: Write<D>): Effect.Effect<Written<D>, WriteRefused | StorageError> =>
    Effect.flatMap(write([given]), ([result]) => {
      // One write has one outcome.
      const outcome = result as WriteResult<D>
      return outcome._tag === "Written" ? Either.right(outcome) : Either.left(outcome)
    })

  return {
    write,
    insert: (row) => one({ _tag: "Insert", row }),
    replace: (row) => one({ _tag: "Replace", row }),
    patch: (id, fields, when) => one({ _tag: "Patch", id, fields, when }),
    delete: (id, when) => one({ _tag: "Delete", id, when }),
    deleteAll: one({ _tag: "DeleteAll" })
  }
}
