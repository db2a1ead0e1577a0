/** What the answers of a live table are compared with. */
import { Exit, Option } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import type { Answer } from "../../../src/LiveTable.js"
import { idsOf } from "./master.js"
import { countIn, ids, listIn, listText, queries, type Row, rowIn, rowText, type State } from "./rows.js"
import { mixesWrites, movesRows, shownIn, versionsOf } from "./stagedViews.js"
import { detach, isLate, type World, type Writer } from "./world.js"

/** What is read. */
export type Key =
  | { readonly kind: "row"; readonly id: string }
  | { readonly kind: "list"; readonly at: number }
  | { readonly kind: "count" }

/** What a read knows when it begins. */
export interface Begun {
  readonly key: Key
  readonly name: string
  readonly queued: boolean
  readonly pending: boolean
  readonly floors: ReadonlyMap<string, number>
  readonly listFloor: number
  readonly forward: number
  readonly shown: number
  readonly confirmed: number
  /** The state of the revision that the answer must hold. */
  readonly atLeast: number
  /** The state that the answer must hold if it is fresh. */
  readonly fresh: number
  /** The writes that were made before. */
  readonly writers: number
}

const nameOf = (key: Key): string =>
  key.kind === "row" ? key.id : key.kind === "list" ? `list ${key.at}` : "count"

export const begin = (world: World, key: Key, how: string, name = nameOf(key)): Begun => {
  const known = how === "log" ? (world.known?.at ?? 0) : 0
  return {
    key,
    name,
    queued: how.startsWith("queued"),
    pending: how.endsWith("pending"),
    floors: new Map(world.floors),
    listFloor: world.listFloor,
    forward: world.forward.get(name) ?? 0,
    shown: world.shown.length - 1,
    confirmed: world.confirmed.length,
    atLeast: Math.max(known, world.rowFloors.get(name) ?? 0),
    fresh: world.freshFloors.get(name) ?? 0,
    writers: world.writers.length
  }
}

export const textIn = (state: State, key: Key): string => {
  if (key.kind === "row") return rowText(rowIn(state, key.id))
  return key.kind === "list" ? listIn(state, key.at) : countIn(state)
}

/** The state that acknowledged writes have left their ids in; with those queued before, if they were waited for. */
const floorOf = ({ atLeast, floors, queued, writers }: Begun, world: World, id: string): number => {
  let floor = Math.max(atLeast, floors.get(id) ?? 0)
  if (!queued) return floor
  for (const { call, outcome, write } of world.writers.slice(0, writers)) {
    if (outcome === "Written" && idsOf([write]).includes(id)) floor = Math.max(floor, call?.done?.at ?? 0)
  }
  return floor
}

const firstWith = (world: World, from: number, text: string, key: Key): number => {
  const { history } = world.master
  for (let at = from; at < history.length; at++) if (textIn(history[at]!, key) === text) return at
  return -1
}

/** The rows of a whole list, each by its own floor. */
const checkRows = (world: World, begun: Begun, rows: ReadonlyArray<Row>, at: number): void => {
  const { where }: { readonly where: (row: Row) => boolean } = queries[at]!
  for (const id of ids) {
    const text = rowText(rows.find((row) => row.id === id))
    const shown = (state: State): string => {
      const row = rowIn(state, id)
      return rowText(row !== undefined && where(row) ? row : undefined)
    }
    const holds = world.master.history.slice(floorOf(begun, world, id)).some((state) => shown(state) === text)
    if (!holds) world.broken.push(`L3: ${begun.name} has ${text}, which is older than an acknowledged write`)
  }
}

const floorOfKey = (world: World, begun: Begun): number => {
  if (begun.key.kind === "row") return floorOf(begun, world, begun.key.id)
  // Until a master shows the writes of its target, its lists are those of before.
  if (isLate(world.setting)) return Math.max(begun.listFloor, begun.atLeast)
  if (world.unordered) return begun.atLeast
  if (!begun.queued) return Math.max(begun.listFloor, begun.atLeast)
  return Math.max(begun.listFloor, ...ids.map((id) => floorOf(begun, world, id)))
}

const checkBase = (world: World, begun: Begun, text: string, rows: ReadonlyArray<Row> | undefined): void => {
  const { forward, key, name } = begun
  const floor = floorOfKey(world, begun)
  const at = firstWith(world, floor, text, key)
  const now = world.master.now()
  if (at < 0) {
    world.broken.push(`L3: ${name} is "${text}", which is in no state from ${floor} to ${now}`)
    return
  }
  if (rows !== undefined && key.kind === "list" && world.unordered && key.at < 2 && !isLate(world.setting))
    checkRows(world, begun, rows, key.at)
  if (world.setting.foreign) return
  const last = at >= forward ? at : firstWith(world, forward, text, key)
  if (last < 0) {
    world.broken.push(`L4: ${name} is "${text}", but state ${forward} was read before`)
    return
  }
  world.forward.set(name, Math.max(world.forward.get(name) ?? 0, last))
}

/** A view is a state that may be read, with what is pending done anew in order. */
const checkPending = (world: World, begun: Begun, text: string): void => {
  const { key, name } = begun
  // What stands behind the end of a page is not known.
  if (key.kind === "list" && key.at === 2) return
  if (key.kind === "list" && mixesWrites(world)) return
  const versions = versionsOf(world, begun)
  if (key.kind === "list" && key.at === 0 && versions.some((writes) => writes.some(movesRows))) return
  const floor = floorOfKey(world, begun)
  const { history } = world.master
  for (let at = floor; at < history.length; at++) {
    for (const writes of versions) {
      if (textIn(shownIn(history[at]!, writes), key) === text) return
    }
  }
  world.broken.push(`L8: ${name} is "${text}": no state from ${floor} with the pending writes`)
}

const rowsOf = (value: unknown): ReadonlyArray<Row> | undefined =>
  Array.isArray(value) ? (value as ReadonlyArray<Row>) : undefined

export const textOf = (value: unknown): string => {
  const rows = rowsOf(value)
  if (rows !== undefined) return listText(rows)
  return typeof value === "number"
    ? String(value)
    : rowText(Option.getOrUndefined(value as Option.Option<Row>))
}

export const checkAnswer = (world: World, asked: Begun, answer: Answer<unknown>): void => {
  const isStale = answer.freshness._tag === "Stale"
  const begun = isStale ? asked : { ...asked, atLeast: Math.max(asked.atLeast, asked.fresh) }
  const text = textOf(answer.value)
  world.trace.push(`${begun.name}: ${text}`)
  // A count is not changed by what is staged.
  if (begun.pending && begun.key.kind !== "count") checkPending(world, begun, text)
  else checkBase(world, begun, text, rowsOf(answer.value))
}

/** The answer of another live table, which knows its own writes. */
export const checkOther = (world: World, id: string, floor: number, { value }: Answer<unknown>): void => {
  const text = textOf(value)
  if (firstWith(world, floor, text, { kind: "row", id }) >= 0) return
  world.broken.push(`L10: ${id} is "${text}" in the other one, which is in no state from ${floor}`)
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): Writer["outcome"] => {
  if (Exit.isSuccess(exit)) return "Written"
  const error =
    exit.cause._tag === "Fail"
      ? (exit.cause.error as { readonly _tag?: string; readonly outcome?: string })
      : {}
  if (error._tag === "WriteRefused") return "Refused"
  return error.outcome === "NotStored" ? "NotStored" : error.outcome === "Unknown" ? "Unknown" : undefined
}

/** A caller gets to know a revision. */
export const know = (world: World, revision: Revision, at: number): void => {
  if ((world.known?.revision.seq ?? 0) < revision.seq) world.known = { revision, at }
}

/** A writer gets its outcome. */
export const acknowledge = (world: World, writer: Writer, exit: Exit.Exit<unknown, unknown>): void => {
  const { broken, floors, writers } = world
  detach(world, idsOf([writer.write]))
  if (Exit.isInterrupted(exit)) return
  const outcome = outcomeOf(exit)
  const { call, number, write } = writer
  world.trace.push(`write ${number}: ${outcome}`)
  if (writer.outcome !== undefined) broken.push(`L5: write ${number} has two outcomes`)
  writer.outcome = outcome
  const later = writers.find(
    (other) =>
      other.number > number && other.call !== undefined && other.call !== call && other.outcome !== undefined
  )
  if (call !== undefined && later !== undefined)
    broken.push(`L5: write ${number} is answered after ${later.number}`)
  if (outcome === undefined) broken.push(`L5: write ${number} has no outcome`)
  const isDone = call?.done !== undefined
  if ((outcome === "Written" || outcome === "Refused") && !isDone) {
    broken.push(`L5: write ${number} was not done, but is ${outcome}`)
  }
  if (outcome === "NotStored" && isDone) broken.push(`L5: write ${number} was done, but is not stored`)
  if (outcome === "Unknown") {
    world.anyUnknown = true
    world.unordered = true
  }
  if (outcome !== "Written" || call?.done === undefined) return
  for (const id of idsOf([write])) floors.set(id, Math.max(floors.get(id) ?? 0, call.done.at))
  const revision = Exit.isSuccess(exit)
    ? (exit.value as { readonly revision: Option.Option<Revision> }).revision
    : undefined
  if (revision?._tag === "Some") know(world, revision.value, call.done.at)
  if (!isLate(world.setting)) world.listFloor = Math.max(world.listFloor, call.done.at)
}

/** Nothing that was read before is served again. */
export const invalidated = (world: World, concerned: ReadonlyArray<string>): void => {
  const now = world.master.now()
  // What a target has acknowledged is answered nevertheless.
  if (!isLate(world.setting)) for (const id of concerned) world.floors.set(id, now)
  detach(world, concerned)
}
