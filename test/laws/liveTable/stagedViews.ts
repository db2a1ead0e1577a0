/** What may be shown of staged writes over a state of the table. */
import { Exit, Option } from "effect"
import type { WriteResult } from "../../../src/Table.js"
import type { Begun } from "./checks.js"
import { idsOf } from "./master.js"
import { type Items, type Row, type State, type Write, written } from "./rows.js"
import { isLate, type ShownWrite, type World, type Writer } from "./world.js"

/** What staged writes have made, in the order of their confirmations, and those without an outcome. */
interface Confirmations {
  readonly confirmed: ReadonlyArray<ShownWrite>
  readonly pending: ReadonlyArray<ShownWrite>
}

export const shownIn = (state: State, writes: ReadonlyArray<Write>): State =>
  writes.reduce((shown, write) => written(shown, write), state)

/** What it makes of a list is known only to who knows rows that are not in it. */
export const movesRows = (write: Write): boolean =>
  write._tag === "Insert" || (write._tag === "Patch" && "g" in write.fields)

/** What is staged once the calls have ended that the master has answered, or that were given up: their writers hear it later. */
const soonShown = (world: World): Confirmations => {
  const pending: Array<ShownWrite> = []
  const confirmed = [...world.confirmed]
  for (const staged of world.shown.at(-1)?.pending ?? []) {
    const writer = world.writers[staged.number]!
    const isEnded = writer.call?.answered === true || writer.call?.leftAt !== undefined
    if (!isEnded) pending.push(staged)
    else confirmed.push(...made(world, writer))
  }
  return { confirmed, pending }
}

/** What a write has made, by the answer of the master. */
const made = ({ writers }: World, writer: Writer): ReadonlyArray<ShownWrite> => {
  const { call, number, write } = writer
  const exit = call?.done?.exit
  if (exit === undefined || !Exit.isSuccess(exit)) return []
  const at = writers.filter((other) => other.call === call).indexOf(writer)
  const result = (exit.value as ReadonlyArray<WriteResult<Items>>)[at]
  return result?._tag === "Written" ? [{ number, write: confirmedOf(write, result.row) }] : []
}

/** What a staged write has made: the row as it is stored, or that there is none. */
export const confirmedOf = (write: Write, row: Option.Option<Row>): Write =>
  Option.match(row, {
    onNone: (): Write => ({ _tag: "Delete", id: idsOf([write]).join() }),
    onSome: (row): Write => ({ _tag: "Replace", row })
  })

/**
 * What may be shown over a state: it may hold the first of what was confirmed since the read began, and not the others.
 * The writes that the read has waited for are in the state.
 */
export const versionsOf = (world: World, begun: Begun): ReadonlyArray<ReadonlyArray<Write>> => {
  const noted = world.shown
    .slice(begun.shown)
    .map(
      ({ confirmed, pending }): Confirmations => ({ confirmed: world.confirmed.slice(0, confirmed), pending })
    )
  // A target shows what was staged before its master does.
  const first = isLate(world.setting) ? 0 : begun.confirmed
  const isOpen = ({ number }: ShownWrite) => !begun.queued || number >= begun.writers
  return [...noted, soonShown(world)].flatMap(({ confirmed, pending }) => {
    const since = confirmed.slice(first)
    const versions = [pending, ...since.map((_, from) => [...since.slice(from), ...pending])]
    return versions.map((writes) => writes.filter(isOpen).map(({ write }) => write))
  })
}

/** Before a late master, a list shows what its staged writes have made of single rows, and what others made of these later. */
export const mixesWrites = ({ confirmed, setting, writers }: World): boolean => {
  if (!isLate(setting)) return false
  const staged = new Set(confirmed.map(({ number }) => number))
  const ids = new Set(confirmed.flatMap(({ write }) => idsOf([write])))
  const others = writers.filter(({ number }) => !staged.has(number))
  return others.some(({ write }) => idsOf([write]).some((id) => ids.has(id)))
}
