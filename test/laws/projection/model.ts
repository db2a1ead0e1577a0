/** What a log must hold: a tree of revisions, since a restored backup begins another branch. */
import type { Revision } from "../../../src/ChangeLog.js"
import type { Appended, Kind } from "./definitions.js"

/** One revision, and all events of each key up to it. */
export interface Node {
  readonly seq: number
  readonly tag: number
  readonly parent: Node | undefined
  readonly keys: ReadonlyMap<string, ReadonlyArray<Appended>>
  /** When it was appended, in milliseconds. */
  readonly at: number
}

export interface Model {
  head: Node
  floor: number
  /** The present epoch is the last one. */
  readonly epochs: Array<string>
  readonly nodes: Map<string, Node>
}

const idOf = ({ seq, tag }: { readonly seq: number; readonly tag: number }): string => `${seq}/${tag}`

export const makeModel = (epoch: string): Model => {
  const root: Node = { seq: 0, tag: 0, parent: undefined, keys: new Map(), at: 0 }
  return { head: root, floor: 0, epochs: [epoch], nodes: new Map([[idOf(root), root]]) }
}

export const epochOf = ({ epochs }: Model): string => epochs.at(-1) as string

/** The events that a node has of a key. */
export const eventsOf = (node: Node, key: string): ReadonlyArray<Appended> => node.keys.get(key) ?? []

export interface NewEvent {
  readonly key: string
  readonly kind: Kind
  readonly n: number
}

export const grow = (
  model: Model,
  { seq, tag }: Revision,
  events: ReadonlyArray<NewEvent>,
  at: number
): void => {
  const keys = new Map(model.head.keys)
  for (const { key, kind, n } of events) keys.set(key, [...(keys.get(key) ?? []), { kind, n, seq, tag }])
  model.head = { seq, tag, parent: model.head, keys, at }
  model.nodes.set(idOf(model.head), model.head)
}

export const nodeOf = ({ nodes }: Model, revision: Revision): Node | undefined => nodes.get(idOf(revision))

/** Whether a node is `later`, or one before it in its history. */
export const isBefore = (node: Node, later: Node): boolean => {
  let at: Node | undefined = later
  while (at !== undefined && at.seq > node.seq) at = at.parent
  return at === node
}

/** How many events of a key are removed. */
export const goneOf = ({ floor, head }: Model, key: string): number =>
  eventsOf(head, key).filter(({ seq }) => seq <= floor).length

/** When the history went beyond a node, in milliseconds; never, if it is the head. */
export const endedAt = ({ head }: Model, node: Node): number => {
  let at: Node | undefined = head
  while (at !== undefined && at.parent !== node) at = at.parent
  return at?.at ?? Number.POSITIVE_INFINITY
}
