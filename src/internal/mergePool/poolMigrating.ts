/** Rewrites the cells of a stored pool for other strategies: once, while nothing else can be committed. */
import { Effect } from "effect"
import { type Change, remove } from "../../ChangeLog.js"
import type { Decision, HeldValue, Loaded, Locked, Save } from "../catalog/backend.js"
import { OpenError } from "../catalog/ended.js"
import type { Saving } from "../catalog/saving.js"
import { canonicalText } from "../columns/canonicalText.js"
import { cellKey, type EncodedCell, partsOfKey } from "./cell.js"
import type { Definition } from "./definition.js"
import { merge } from "./merging.js"
import type { RowPatch } from "./patch.js"
import { changesOf, horizonChange, horizonKey, type PoolCell } from "./poolCells.js"
import { rowField } from "./row.js"
import { noStamp } from "./stamp.js"
import { makeState, noteHorizon, type State } from "./state.js"
import { readHorizon, storedRevisions } from "./storedCells.js"
import { revisionsOf } from "./ticking.js"

/** A cell as it is stored: its reset stamp, then the data of its state. */
export interface StoredCell {
  readonly row: string
  readonly field: string
  readonly cell: EncodedCell
}

/**
 * Makes a cell of the pool's strategies of one that is stored by former ones, whose fingerprint it gets. It may name another
 * field; `undefined` leaves the cell out. Pure.
 */
export type Migrate = (
  cell: StoredCell,
  fingerprint: string
) => Pick<StoredCell, "field" | "cell"> | undefined

/** A pool that is to be rewritten. */
export interface Migrating {
  readonly id: string
  readonly definition: Definition
  readonly loaded: Loaded
  /** Of the strategies by which it is stored. */
  readonly fingerprint: string
  /** Of the strategies that it was made with. */
  readonly first: string
  readonly migrate: Migrate
  readonly nextName: () => string
}

/** Whatever is stored was merged once. */
const asStored = { old: "take", maxValueBytes: Number.MAX_SAFE_INTEGER } as const

const undecodable = (key: string, message: string): OpenError =>
  new OpenError({
    reason: "Undecodable",
    key,
    message: `the cell ${JSON.stringify(key)} could not be migrated: ${message}. Mend migrate`
  })

/** Makes the row patch of a stored cell; `undefined`: it is left out. Throws what `migrate` throws. */
const rewritten = (
  { fingerprint, migrate }: Migrating,
  key: string,
  cell: EncodedCell
): RowPatch | undefined => {
  const [row, field] = partsOfKey(key)
  if (field === rowField) return [row, cell[0], []]
  const made = migrate({ row, field, cell }, fingerprint)
  return made && [row, noStamp, [[made.field, ...made.cell]]]
}

/** The state that cells make as they are stored now. */
const migratedState = (migrating: Migrating, values: ReadonlyArray<HeldValue>): State | OpenError => {
  const state = makeState(migrating.definition)
  noteHorizon(state, readHorizon(values.find(({ key }) => key === horizonKey)).horizon)
  for (const { data, key } of values) {
    if (key === horizonKey) continue
    try {
      // What a pool has written.
      const row = rewritten(migrating, key, data as unknown as EncodedCell)
      if (row === undefined) continue
      const merged = merge(state, { horizon: noStamp, rows: [row] }, asStored)
      if (merged._tag === "Refused") return undecodable(key, merged.message)
    } catch (cause) {
      return undecodable(key, String(cause))
    }
  }
  return state
}

/** The revisions that lead from what is stored to a state. The horizon is always in them: with it the fingerprint is kept. */
const rewriting = (
  { definition }: Migrating,
  values: ReadonlyArray<HeldValue>,
  state: State,
  last: number
): Decision["revisions"] => {
  const stored = new Map(values.map(({ data, key }) => [key, canonicalText(data)]))
  const none = new Map(Array.from(state.rows.keys(), (key) => [key, undefined]))
  const all = changesOf(state, none, state.horizon)
  const isNew = (change: Change<PoolCell>): boolean =>
    change._tag === "Put" && stored.get(change.key) !== canonicalText(change.value.cell)
  const kept = new Set(all.map(({ key }) => key)).add(horizonKey)
  const gone = values.filter(({ key }) => !kept.has(key)).map(({ key }) => remove(key))
  const changes = [horizonChange(state.horizon), ...all.filter(isNew), ...gone]
  // The cells of a row end together.
  const leases = new Map(
    values.flatMap(({ key, session }) =>
      session === undefined ? [] : [[partsOfKey(key)[0], session] as const]
    )
  )
  return storedRevisions(revisionsOf(changes), last, definition, (row) => leases.get(row))
}

/** The keys of what is stored, and of all that may be made of it. */
const keysOf = ({ definition, loaded }: Migrating): ReadonlyArray<string> => {
  const keys = new Set([horizonKey])
  for (const { key } of loaded.values) {
    keys.add(key)
    const [row] = partsOfKey(key)
    for (const name of definition.names) keys.add(cellKey(row, name))
  }
  return Array.from(keys)
}

/** What is stored now under the keys that were loaded; `undefined`: other keys are there by now. */
const valuesNow = ({ loaded }: Migrating, { get, totals }: Locked): ReadonlyArray<HeldValue> | undefined => {
  const values = loaded.values.flatMap(({ key }) => get(key) ?? [])
  return values.length === loaded.values.length && totals.records === values.length ? values : undefined
}

/**
 * Rewrites the pool, unless another process has done it. Returns whether it is rewritten: not if others have added or removed
 * cells since it was loaded.
 */
export const rewrite = (migrating: Migrating, saving: Saving): Effect.Effect<boolean, OpenError> =>
  Effect.async<boolean, OpenError>((resume) => {
    const { definition, first, id, nextName } = migrating
    let problem: OpenError | undefined
    let isRewritten = true
    const decide = (locked: Locked): Decision => {
      isRewritten = true
      const stored = readHorizon(locked.get(horizonKey)).fingerprint ?? first
      if (stored === definition.fingerprint) return { revisions: [] }
      const values = valuesNow(migrating, locked)
      isRewritten = values !== undefined
      if (values === undefined) return { revisions: [] }
      const state = migratedState(migrating, values)
      problem = state instanceof OpenError ? state : undefined
      if (state instanceof OpenError) return { revisions: [] }
      return { revisions: rewriting(migrating, values, state, locked.head.seq) }
    }
    const unsaved = (message: string, cause?: unknown) =>
      resume(
        new OpenError({ reason: "Unavailable", message: `the pool was not migrated: ${message}`, cause })
      )
    const save: Save = { store: id, name: nextName(), keys: keysOf(migrating), id: undefined, decide }
    const isTaken = saving.offer(save, (outcome) => {
      if (outcome._tag !== "Saved") unsaved(outcome.message, outcome)
      else resume(problem ?? Effect.succeed(isRewritten))
    })
    if (!isTaken) unsaved("nothing is saved any more, see the status")
  })
