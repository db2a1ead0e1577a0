/** Followers of a store under rights that change: what they hold, and what each frame may name. */
import type * as Datastore from "../../../src/Datastore.js"
import type { Frame } from "../../../src/Watch.js"
import { ensure } from "../../support/laws/ensure.js"

export interface Item {
  readonly id: string
  readonly owner: string
  readonly v: number
  /** Names the row in what must not show it. */
  readonly secret: string
}

export type Row = Datastore.Row<Item>

/** What a principal may see: the rows of these owners; `undefined`: it has no rights. */
export type Sees = ReadonlyArray<string> | undefined

export interface Principal {
  readonly name: string
  /** What `authorize` answers when it is asked. */
  wanted: Sees
  /** What it has answered, until when. */
  sees: Sees
  until: number
  /** The keys that were visible to it at some time. */
  readonly mayKnow: Set<string>
}

export const isVisible = (sees: Sees, row: { readonly data: Item }): boolean =>
  sees?.includes(row.data.owner) === true

/** The rights that count now. */
export const rightsAt = (principal: Principal, now: number): Sees =>
  now > principal.until ? principal.wanted : principal.sees

export interface Follower {
  readonly principal: Principal
  /** Its own view: rows of even numbers. */
  readonly isPicky: boolean
  readonly held: Map<string, Row>
  cursor: Parameters<Datastore.StoreHandle<Item>["follow"]>[0] extends infer O | undefined
    ? O extends { readonly after?: infer R }
      ? R
      : never
    : never
}

export const wants = ({ isPicky }: Pick<Follower, "isPicky">, { data }: Row): boolean =>
  !isPicky || data.v % 2 === 0

const named = (frame: Frame<Row>): ReadonlyArray<string> => {
  if (frame._tag === "Snapshot") return [...frame.entries.map(({ key }) => key), ...frame.deleted]
  return frame._tag === "Events" ? frame.events.map(({ key }) => key) : []
}

const rowsOf = (frame: Frame<Row>): ReadonlyArray<Row> => {
  if (frame._tag === "Snapshot") return frame.entries.map(({ value }) => value)
  if (frame._tag !== "Events") return []
  return frame.events.flatMap((event) => (event._tag === "Put" ? [event.value] : []))
}

/** Checks a frame against the rights of this moment, and applies it. */
export const take = (follower: Follower, frame: Frame<Row>, now: number): void => {
  const { held, principal } = follower
  const sees = rightsAt(principal, now)
  ensure(sees !== undefined, `K5: without rights nothing is delivered, not a ${frame._tag}`)
  for (const row of rowsOf(frame)) {
    ensure(
      isVisible(sees, row),
      `K5: no frame is judged by older rights than ${sees}: ${JSON.stringify(row)}`
    )
    ensure(wants(follower, row), `K5: what the view leaves out is not delivered: ${JSON.stringify(row)}`)
  }
  for (const key of named(frame)) {
    ensure(
      principal.mayKnow.has(key),
      `K4: a row that was never visible is not named: ${key} in ${frame._tag}`
    )
  }
  if (frame._tag === "Snapshot") {
    held.clear()
    for (const { key, value } of frame.entries) held.set(key, value)
  }
  if (frame._tag === "Events") {
    for (const event of frame.events) {
      if (event._tag === "Put") held.set(event.key, event.value)
      else held.delete(event.key)
    }
  }
  if (frame._tag !== "Gap") follower.cursor = frame.revision
}

const brief = (rows: Iterable<Row>): string =>
  Array.from(rows, ({ key, seq }) => `${key}=${seq}`)
    .sort()
    .join()

/** Whether a follower holds what a fresh one is shown. */
export const checkEqual = (follower: Follower, rows: Iterable<Row>, now: number): void => {
  const sees = rightsAt(follower.principal, now)
  if (sees === undefined) return
  const want = brief([...rows].filter((row) => isVisible(sees, row) && wants(follower, row)))
  const got = brief(follower.held.values())
  ensure(
    got === want,
    `K3: ${follower.principal.name} ends equal to a fresh follower, with ${want}, not ${got}`
  )
}
