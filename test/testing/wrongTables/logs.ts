/** Wrong in what is logged, and in the revisions that reads name. */
import { Effect, Option } from "effect"
import { put } from "../../../src/ChangeLog.js"
import type { CheckedWrite } from "../../../src/internal/columns/checkWrite.js"
import { applyChange, planWrites } from "../../../src/internal/columns/planWrites.js"
import { makeRowStore } from "../../../src/internal/columns/rowStore.js"
import { compileTableChange } from "../../../src/internal/log/tableChange.js"
import { prefixOf, WriteRefused } from "../../../src/Table.js"
import {
  type Any,
  type AnySource,
  type Log,
  logging,
  rightSource,
  type Wrong,
  withUniqueTag
} from "./right.js"

/** Stores the rows, and logs their changes ten turns later. */
const rowsFirst = (definition: Any, log: Log): Effect.Effect<AnySource> =>
  Effect.sync(() => {
    const { columns, id } = definition
    const store = makeRowStore(columns, id)
    const entry = compileTableChange(definition)
    const read = <A>(value: () => A) =>
      Effect.map(log.head, ({ head }) => ({ value: value(), revision: head }))
    const source: AnySource = {
      list: (query) => read(() => store.select(query)),
      count: (where) => read(() => store.count(where)),
      getMany: (ids) => read(() => ids.flatMap((id) => [store.get(id as string) ?? []].flat())),
      write: (writes, batch) =>
        Effect.gen(function* () {
          const planned = planWrites(columns, id, store, writes as ReadonlyArray<CheckedWrite>)
          const changes = planned.flatMap((plan) =>
            plan._tag === "Done" && plan.change !== undefined ? [plan.change] : []
          )
          for (const change of changes) applyChange(store, change)
          for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
          const revision =
            changes.length === 0
              ? undefined
              : yield* log.append(changes.map((change) => entry(change, batch)))
          return planned.map((plan) =>
            plan._tag === "Refused"
              ? new WriteRefused({ reason: plan.reason, message: plan.reason })
              : {
                  _tag: "Written" as const,
                  row: Option.fromNullable(plan.row),
                  change: plan.change === undefined ? ("Unchanged" as const) : ("Changed" as const),
                  revision: plan.change === undefined ? Option.none() : Option.fromNullable(revision)
                }
          )
        })
    }
    return withUniqueTag(source, definition)
  })

export const wrongLogs: ReadonlyArray<Wrong> = [
  logging(
    "logs an insert as an update",
    (change) => (change.op === "Inserted" ? { ...change, op: "Updated" } : change),
    ["each-change-is-logged"]
  ),
  logging(
    "logs rows without their notes",
    (change) => (change.row === undefined ? change : { ...change, row: { ...change.row, note: null } }),
    ["changes-have-their-rows"]
  ),
  logging(
    "names the first of the columns that have changed",
    (change) => (change.columns === undefined ? change : { ...change, columns: change.columns.slice(0, 1) }),
    ["changed-columns-are-named"]
  ),
  logging("names no call", ({ batch: _, ...change }) => change, ["changes-name-their-call"]),
  logging(
    "logs a DeleteAll as a deletion",
    (change) => (change.op === "Changed" ? { ...change, op: "Deleted" } : change),
    ["delete-all-is-changed"]
  ),
  {
    name: "logs what changes nothing",
    breaks: ["nothing-else-is-logged"],
    instead: (definition, log) =>
      Effect.map(rightSource(definition, log), (right) => ({
        ...right,
        write: (writes, batch) =>
          Effect.tap(right.write(writes, batch), (results) =>
            results.some((result) => "change" in result && result.change === "Unchanged")
              ? log.append([put(prefixOf(definition), { op: "Changed", batch })])
              : Effect.void
          )
      }))
  },
  {
    name: "names no revision where nothing is read",
    breaks: ["reads-name-their-revision"],
    source: (right) => ({
      ...right,
      count: (where) => Effect.map(right.count(where), ({ value }) => ({ value }))
    })
  },
  {
    name: "reads the log's head after the rows",
    breaks: ["revision-is-held"],
    instead: (definition, log) =>
      Effect.map(rightSource(definition, log), (right) => ({
        ...right,
        getMany: (ids) =>
          Effect.gen(function* () {
            const { value } = yield* right.getMany(ids)
            for (let turn = 0; turn < 4; turn++) yield* Effect.yieldNow()
            return { value, revision: (yield* log.head).head }
          })
      }))
  },
  { name: "stores the rows before it logs them", breaks: ["one-commit"], instead: rowsFirst }
]
