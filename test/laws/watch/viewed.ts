/** A client that follows under rights, and what it holds every frame against: what was committed, and what it may see. */
import { Option } from "effect"
import type * as ChangeLog from "../../../src/ChangeLog.js"
import type * as Watch from "../../../src/Watch.js"
import { ensure } from "../../support/laws/ensure.js"

type Row = readonly [key: string, before: number | undefined, after: number | undefined]
export type State = ReadonlyMap<string, number>

/** What was committed in one epoch: its rows, and the state after each revision, first that before all of them. */
interface Life {
  readonly revisions: Array<ReadonlyArray<Row>>
  readonly states: Array<State>
}

/** Everything that was committed. */
export interface Committed {
  readonly lives: Map<string, Life>
  state: State
}

export const nothingIn = (epoch: string): Committed => ({
  lives: new Map([[epoch, { revisions: [], states: [new Map()] }]]),
  state: new Map()
})

export const renewed = ({ lives, state }: Committed, epoch: string): void => {
  lives.set(epoch, { revisions: [], states: [state] })
}

/** Notes a revision. Returns its rows. */
export const committed = (
  all: Committed,
  { epoch }: ChangeLog.Revision,
  changes: ReadonlyArray<ChangeLog.Change<number>>
): ReadonlyArray<Row> => {
  const state = new Map(all.state)
  const rows = changes.map((change): Row => {
    const before = state.get(change.key)
    if (change._tag === "Put") state.set(change.key, change.value)
    else state.delete(change.key)
    return [change.key, before, state.get(change.key)]
  })
  const life = all.lives.get(epoch)!
  life.revisions.push(rows)
  life.states.push(state)
  all.state = state
  return rows
}

/** The rights of a client: which remainders of a division of the values by three it sees. */
export interface Rights {
  version: number
  sees: ReadonlyArray<number> | undefined
}

/** What all clients follow. */
export const followed = "k/"

const isVisible = ({ sees }: Rights, value: number | undefined): value is number =>
  value !== undefined && sees?.includes(value % 3) === true

export const viewOf = (rights: Rights): Watch.Rights<number> => ({
  version: () => rights.version,
  visible: () => {
    const { sees } = rights
    return sees === undefined ? undefined : (_, value) => sees.includes(value % 3)
  }
})

export interface Client {
  readonly rights: Rights
  readonly policy: Watch.Policy
  readonly previous: boolean
  readonly held: Map<string, number>
  /** By which version of the rights `held` was judged. */
  heldBy: number
  /** The last revision that it took; none: it is to begin anew. */
  cursor: ChangeLog.Revision | undefined
  /** The keys that the present follow has delivered. */
  delivered: Set<string>
  /** The keys that were visible to it at some time. */
  readonly mayKnow: Set<string>
  /** Events were dropped, as a Gap has announced. */
  isLossy: boolean
}

/** What its rights let through of new rows may be named from now on. */
export const noteRows = ({ mayKnow, rights }: Client, rows: ReadonlyArray<Row>): void => {
  for (const [key, before, after] of rows) {
    if (isVisible(rights, before) || isVisible(rights, after)) mayKnow.add(key)
  }
}

/** What a fresh follow of a client shows. */
export const visibleOf = ({ rights }: Client, state: State): ReadonlyArray<string> =>
  [...state]
    .flatMap(([key, value]) =>
      key.startsWith(followed) && isVisible(rights, value) ? [`${key}=${value}`] : []
    )
    .sort()

/** Its rights have changed. */
export const raise = (client: Client, sees: Rights["sees"], { state }: Committed): void => {
  client.rights.version++
  client.rights.sees = sees
  noteRows(
    client,
    [...state].map(([key, value]): Row => [key, undefined, value])
  )
}

/** The events of a revision as a client is to see them, with the values before. */
const expected = ({ previous, rights }: Client, rows: ReadonlyArray<Row>): ReadonlyArray<string> =>
  rows.flatMap(([key, before, after]) => {
    if (!key.startsWith(followed)) return []
    const was = isVisible(rights, before)
    const told = previous ? ` was ${was ? before : "nothing"}` : ""
    if (isVisible(rights, after)) return [`${key}=${after}${told}`]
    return was ? [`-${key}${told}`] : []
  })

const told = (event: ChangeLog.Event<number>): string => {
  const before =
    event.previous === undefined ? "" : ` was ${Option.getOrElse(event.previous, () => "nothing")}`
  return event._tag === "Put" ? `${event.key}=${event.value}${before}` : `-${event.key}${before}`
}

const takeSnapshot = (
  client: Client,
  { deleted, entries, revision }: Watch.SnapshotFrame<number>,
  { lives }: Committed
): void => {
  const got = entries.map(({ key, value }) => `${key}=${value}`).sort()
  const want = visibleOf(client, lives.get(revision.epoch)!.states[revision.seq]!)
  ensure(
    got.join() === want.join(),
    `W17: a snapshot is what is visible at ${revision.seq}: ${got}, not ${want}`
  )
  const foreign = deleted.filter((key) => !client.delivered.has(key))
  ensure(foreign.length === 0, `W17: only what was delivered is named as deleted, not ${foreign}`)
  client.held.clear()
  for (const { key, value } of entries) client.held.set(key, value)
  for (const { key } of entries) client.delivered.add(key)
  client.isLossy = false
}

const takeEvents = (
  client: Client,
  { events, revision }: Watch.EventsFrame<number>,
  { lives }: Committed
): void => {
  const want = expected(client, lives.get(revision.epoch)!.revisions[revision.seq - 1]!)
  const got = events.map(told)
  const isTrue =
    client.policy === "conflate" ? got.every((one) => want.includes(one)) : got.join() === want.join()
  ensure(isTrue, `W16: revision ${revision.seq} is seen as ${want}, not ${got}`)
  for (const event of events) {
    client.delivered.add(event.key)
    if (event._tag === "Put") client.held.set(event.key, event.value)
    else client.held.delete(event.key)
  }
}

/** Checks a frame that a client took, and applies it. */
export const apply = (client: Client, frame: Watch.Frame<number>, all: Committed): void => {
  ensure(client.rights.sees !== undefined, `W18: nothing is delivered without rights, not a ${frame._tag}`)
  if (frame._tag === "Snapshot") takeSnapshot(client, frame, all)
  if (frame._tag === "Events") takeEvents(client, frame, all)
  ensure(
    frame._tag === "Snapshot" || client.heldBy === client.rights.version,
    `W18: under other rights a snapshot comes first, not a ${frame._tag}`
  )
  const hidden = [...client.delivered].filter((key) => !client.mayKnow.has(key))
  ensure(hidden.length === 0, `W17: a row that was never visible is not named, as ${hidden}`)
  client.heldBy = client.rights.version
  if (frame._tag !== "Gap") client.cursor = frame.revision
  else if (frame.reason === "Overflow") client.isLossy = true
}
