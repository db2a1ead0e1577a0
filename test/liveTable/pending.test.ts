/** What is shown of staged writes, in rows and in lists, against a table that does the pending ones anew at each step. */
import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { CheckedWrite } from "../../src/internal/columns/checkWrite.js"
import type { CheckedQuery } from "../../src/internal/columns/query.js"
import type { AnyRow } from "../../src/internal/columns/rowCodec.js"
import { applyToList, applyToRow, open, rowsOf } from "../../src/internal/liveTable/pendingLists.js"
import * as Pending from "../../src/internal/pending.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import {
  answerOf,
  columns,
  query,
  type State,
  sameRows,
  type TestRow,
  table
} from "../support/liveTable/changes.js"
import { type Action, actions, after } from "../support/liveTable/staged.js"

/** A base: the table as it was read. `moved`: the same, with what was confirmed since then. */
interface Base {
  readonly stamp: number
  readonly read: State
  readonly moved: State
}

interface World {
  readonly master: State
  readonly stamp: number
  readonly pending: Pending.Pending<number, CheckedWrite>
  /** The present one first, and the one before it, which is still in use. */
  readonly bases: ReadonlyArray<Base>
  readonly staged: number
}

/** What a write has done: the row as it is stored, perhaps with another id, or that it is gone. */
const confirmedOf = (write: CheckedWrite, master: State, otherId: string | undefined): CheckedWrite => {
  switch (write._tag) {
    case "DeleteAll":
      return write
    case "Delete":
      return { _tag: "Delete", id: write.id }
    case "Patch":
      return { _tag: "Replace", row: master.get(String(write.id))! }
    default:
      return { _tag: "Replace", row: master.get(otherId ?? String(write.row.id))! }
  }
}

const settle = (world: World, at: number, otherId: string | undefined): World => {
  const staged = world.pending.staged[at % world.pending.staged.length]
  if (staged === undefined) return world
  const isReplaced = staged.op._tag === "Insert" && otherId !== undefined
  const op: CheckedWrite = isReplaced ? { ...staged.op, row: { ...staged.op.row, id: otherId } } : staged.op
  const master = after(world.master, op)
  if (master === undefined) return { ...world, pending: Pending.revert(world.pending, staged.key) }
  const stamp = world.stamp + 1
  const confirmed = confirmedOf(op, master, isReplaced ? otherId : undefined)
  return {
    ...world,
    master,
    stamp,
    pending: Pending.confirm(world.pending, staged.key, { stamp, op: confirmed }),
    bases: world.bases.map((base) => ({ ...base, moved: after(base.moved, confirmed)! }))
  }
}

const act = (world: World, action: Action): World => {
  const { bases, master, pending, staged, stamp } = world
  switch (action._tag) {
    case "Stage":
      return { ...world, pending: Pending.stage(pending, staged, action.write), staged: staged + 1 }
    case "Settle":
      return settle(world, action.at, action.otherId ? `z${stamp}` : undefined)
    case "Revert": {
      const reverted = pending.staged[action.at % pending.staged.length]
      return reverted === undefined ? world : { ...world, pending: Pending.revert(pending, reverted.key) }
    }
    case "Foreign":
      return { ...world, master: after(master, action.write) ?? master }
    case "Refresh":
      return { ...world, bases: [{ stamp, read: master, moved: master }, ...bases.slice(0, 1)] }
    case "Release":
      return { ...world, pending: Pending.release(pending, bases.at(-1)!.stamp) }
  }
}

const worldOf = (table: State): World => ({
  master: table,
  stamp: 0,
  pending: Pending.empty,
  bases: [{ stamp: 0, read: table, moved: table }],
  staged: 0
})

/** Does the pending writes, one after the other, to what a base has become. */
const recomputed = ({ pending }: World, { moved }: Base): State =>
  pending.staged.reduce<State>((state, { op }) => after(state, op) ?? state, moved)

const checkRows = (world: World, base: Base, expected: State): void => {
  for (const id of new Set([...base.read.keys(), ...expected.keys(), "a", "b"])) {
    const apply = applyToRow(columns, "id", id)
    const shown = Pending.view<AnyRow | undefined, number, CheckedWrite>(
      world.pending,
      base.read.get(id),
      base.stamp,
      apply
    )
    const should = expected.get(id)
    ensure(
      sameRows(shown === undefined ? [] : [shown as TestRow], should === undefined ? [] : [should]),
      `the row ${id} is shown as it is recomputed`
    )
  }
}

const checkList = (world: World, base: Base, expected: State, query: CheckedQuery): void => {
  const rows = answerOf(query, base.read)
  const opened = open(columns, "id", query, rows, (id) => base.read.get(String(id)))
  // They are rows of the table above.
  const shown = rowsOf(Pending.view(world.pending, opened, base.stamp, applyToList)) as ReadonlyArray<TestRow>
  if (query.offset === 0) {
    const should = answerOf(query, expected)
    ensure(sameRows(shown, should.slice(0, shown.length)), "a list begins as the recomputed one")
    ensure(
      rows.length === query.limit || shown.length === should.length,
      "a list whose end is known is whole"
    )
  } else {
    const all = answerOf({ ...query, offset: 0, limit: undefined }, expected)
    const known = new Set(shown.map(({ id }) => id))
    ensure(
      sameRows(
        shown,
        all.filter(({ id }) => known.has(id))
      ),
      "a later page has rows as they are recomputed"
    )
  }
}

describe("staged writes", () => {
  it.effect(
    "L2: are shown in rows and lists as if the pending ones were done anew at each step",
    () => {
      const sample = fc.record({ table, actions, queries: fc.array(query, { minLength: 1, maxLength: 3 }) })
      return holdsSeeded("L2 rebase", sample, 300, async ({ actions, queries, table }) => {
        let world = worldOf(table)
        for (const action of actions) {
          world = act(world, action)
          for (const base of world.bases) {
            const expected = recomputed(world, base)
            checkRows(world, base, expected)
            for (const query of queries) checkList(world, base, expected, query)
          }
          const oldest = world.bases.at(-1)!.stamp
          if (action._tag === "Release") {
            ensure(
              world.pending.confirmed.every(({ stamp }) => stamp > oldest),
              "what all bases hold is released"
            )
          }
        }
      })
    },
    seededTimeout
  )
})
