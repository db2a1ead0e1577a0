/** What operations do to a store, one after the other: the model that histories are held against. */
import { isDeepStrictEqual } from "node:util"
import type * as Datastore from "../../../src/Datastore.js"

export interface Item {
  readonly id: string
  readonly v: number
  readonly w?: number
}

export type Steps = ReadonlyArray<Datastore.Step<Item>>

export interface State {
  readonly seq: number
  readonly rows: ReadonlyMap<string, Datastore.Row<Item>>
}

export const empty: State = { seq: 0, rows: new Map() }

/** What an operation is answered. */
export type Reply =
  | {
      readonly ok: true
      readonly revision: number
      readonly rows: ReadonlyArray<Datastore.Row<Item> | undefined>
    }
  | {
      readonly ok: false
      readonly reason: string
      readonly step: number | undefined
      readonly seq: number | undefined
    }

const refused = (reason: string, step: number, row?: Datastore.Row<Item>): Reply => ({
  ok: false,
  reason,
  step,
  seq: row?.seq
})

const keyOf = (step: Datastore.Step<Item>): string => (step._tag === "Set" ? step.data.id : step.key)

const written = (
  step: Datastore.Step<Item>,
  before: Datastore.Row<Item> | undefined,
  seq: number
): Datastore.Row<Item> | undefined => {
  if (step._tag === "Delete") return undefined
  const key = keyOf(step)
  if (step._tag === "Set") return { key, data: step.data, seq }
  const entries = Object.entries({ ...before?.data, ...step.set }).filter(
    ([name]) => !step.unset?.includes(name)
  )
  return { key, data: Object.fromEntries(entries) as unknown as Item, seq }
}

/** Does an operation: the reply, and the state after it. */
export const act = (state: State, steps: Steps): { readonly reply: Reply; readonly next: State } => {
  const rows = new Map(state.rows)
  const made: Array<Datastore.Row<Item> | undefined> = []
  const seq = state.seq + 1
  let changes = false
  for (const [index, step] of steps.entries()) {
    const key = keyOf(step)
    const before = rows.get(key)
    const isExpected = step.expect === undefined || step.expect === (before?.seq ?? "absent")
    if (!isExpected) return { reply: refused("Conflict", index, before), next: state }
    if (step._tag === "Patch" && before === undefined)
      return { reply: refused("Missing", index), next: state }
    const after = written(step, before, seq)
    changes ||= before !== undefined || after !== undefined
    rows.delete(key)
    if (after !== undefined) rows.set(key, after)
    made.push(after)
  }
  const reply: Reply = { ok: true, revision: changes ? seq : state.seq, rows: made }
  return { reply, next: changes ? { seq, rows } : state }
}

export const isAlike = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b)
