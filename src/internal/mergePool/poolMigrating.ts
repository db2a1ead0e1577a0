/** Rewrites the cells of a stored pool for other strategies: once, while nothing else can be committed. */
import { Effect } from "effect"
import type { Loaded, Save, StoredChange } from "../catalog/backend.js"
import { OpenError } from "../catalog/ended.js"
import type { Saving } from "../catalog/saving.js"
import { canonicalText } from "../columns/canonicalText.js"
import { type EncodedCell, partsOfKey } from "./cell.js"
import type { Definition } from "./definition.js"
import { merge } from "./merging.js"
import type { RowPatch } from "./patch.js"
import { changesOf, horizonChange, horizonKey } from "./poolCells.js"
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
  // What a pool has written.
  cell: EncodedCell
): RowPatch | undefined => {
  const [row, field] = partsOfKey(key)
  if (field === rowField) return [row, cell[0], []]
  const made = migrate({ row, field, cell }, fingerprint)
  return made && [row, noStamp, [[made.field, ...made.cell]]]
}

/** The state that the cells make. */
const migratedState = (migrating: Migrating): State | OpenError => {
  const { definition, loaded } = migrating
  const state = makeState(definition)
  noteHorizon(state, readHorizon(loaded.values.find(({ key }) => key === horizonKey)).horizon)
  for (const { data, key } of loaded.values) {
    if (key === horizonKey) continue
    try {
      const row = rewritten(migrating, key, data as unknown as EncodedCell)
      if (row === undefined) continue
      const merged = merge(
        state,
        { horizon: noStamp, rows: [row] },
        { old: "take", maxValueBytes: Number.MAX_SAFE_INTEGER }
      )
      if (merged._tag === "Refused") return undecodable(key, merged.message)
    } catch (cause) {
      return undecodable(key, String(cause))
    }
  }
  return state
}

/** The changes that lead from what is stored to a state. The horizon is always one, as the fingerprint is kept with it. */
const rewriting = ({ loaded }: Migrating, state: State) => {
  const stored = new Map(loaded.values.map(({ data, key }) => [key, canonicalText(data)]))
  const all = changesOf(
    state,
    new Map(Array.from(state.rows.keys(), (key) => [key, undefined])),
    state.horizon
  )
  const changes = [
    horizonChange(state.horizon),
    ...all.filter(
      (change) => change._tag === "Put" && stored.get(change.key) !== canonicalText(change.value.cell)
    )
  ]
  const kept = new Set(all.map(({ key }) => key)).add(horizonKey)
  const gone = loaded.values.filter(({ key }) => !kept.has(key))
  return { changes, gone: gone.map(({ key }): StoredChange => ({ _tag: "Delete", key })) }
}

/** Rewrites the pool, unless another process has changed it since it was loaded. */
export const rewrite = (migrating: Migrating, saving: Saving): Effect.Effect<void, OpenError> =>
  Effect.suspend(() => {
    const state = migratedState(migrating)
    if (state instanceof OpenError) return Effect.fail(state)
    const { definition, first, id, loaded, nextName } = migrating
    const { changes, gone } = rewriting(migrating, state)
    const last = loaded.revision.seq
    const [head = [], ...rest] = storedRevisions(revisionsOf(changes), last, definition)
    const revisions = [[...head, ...gone], ...rest]
    const save: Save = {
      store: id,
      name: nextName(),
      keys: Array.from(new Set([horizonKey, ...revisions.flat().map(({ key }) => key)])),
      id: undefined,
      decide: (locked) => {
        const stored = readHorizon(locked.get(horizonKey)).fingerprint ?? first
        const isDone = stored === definition.fingerprint || locked.head.seq !== last
        return { revisions: isDone ? [] : revisions }
      }
    }
    return Effect.async<void, OpenError>((resume) => {
      const unsaved = (message: string, cause?: unknown) =>
        resume(
          new OpenError({ reason: "Unavailable", message: `the pool was not migrated: ${message}`, cause })
        )
      const isTaken = saving.offer(save, (outcome) => {
        if (outcome._tag === "Saved") resume(Effect.void)
        else unsaved(outcome.message, outcome)
      })
      if (!isTaken) unsaved("nothing is saved any more, see the status")
    })
  })
