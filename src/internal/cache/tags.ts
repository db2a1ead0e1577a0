/** The index of living cells by their tags, and which tags were invalidated while loads were under way. */
import * as Journal from "./journal.js"

export interface Tags<C> {
  readonly members: Map<string, Set<C>>
  readonly invalidated: Journal.Journal<string>
}

/** So many invalidated tags are remembered one by one. */
const maxRemembered = 1_000

export const make = <C>(): Tags<C> => ({ members: new Map(), invalidated: Journal.make(maxRemembered) })

export const add = <C>(tags: Tags<C>, cell: C, names: ReadonlyArray<string>): void => {
  for (const name of names) {
    const members = tags.members.get(name)
    if (members === undefined) tags.members.set(name, new Set([cell]))
    else members.add(cell)
  }
}

export const remove = <C>(tags: Tags<C>, cell: C, names: ReadonlyArray<string>): void => {
  for (const name of names) {
    const members = tags.members.get(name)
    members?.delete(cell)
    if (members?.size === 0) tags.members.delete(name)
  }
}

/** Whether one of the tags may have been invalidated since a load took its stamp. */
export const isOutdated = <C>(tags: Tags<C>, names: ReadonlyArray<string>, stamp: number): boolean =>
  names.some((name) => Journal.isOutdated(tags.invalidated, name, stamp))

/** Notes that a tag is invalidated, and returns the cells that have it. */
export const invalidate = <C>(tags: Tags<C>, name: string, stamp: number): ReadonlyArray<C> => {
  Journal.note(tags.invalidated, name, stamp)
  return [...(tags.members.get(name) ?? [])]
}

/** The cells that have a tag. */
export const membersOf = <C>({ members }: Tags<C>, name: string): ReadonlyArray<C> => [
  ...(members.get(name) ?? [])
]

export const clear = <C>(tags: Tags<C>): void => tags.members.clear()
