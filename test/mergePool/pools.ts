/** Pools of a few fields of all strategies, their hubs, and clients of them. */
import { counter } from "../../src/internal/mergePool/counter.js"
import { type Definition, define, type Fields } from "../../src/internal/mergePool/definition.js"
import type { Edit } from "../../src/internal/mergePool/edits.js"
import { makeFollower } from "../../src/internal/mergePool/follower.js"
import { type Hub, makeHub } from "../../src/internal/mergePool/hub.js"
import { set } from "../../src/internal/mergePool/members.js"
import type { Patch, RowPatch } from "../../src/internal/mergePool/patch.js"
import { makeReplica, readAll } from "../../src/internal/mergePool/replica.js"
import { clientOfBits, makeStamp, noStamp } from "../../src/internal/mergePool/stamp.js"
import { makeState, stateText } from "../../src/internal/mergePool/state.js"
import { last, max } from "../../src/internal/mergePool/values.js"
import { type Line, makeLine, type World } from "./pair.js"

const definitionOf = (fields: Fields): Definition => {
  const made = define(fields)
  if ("_tag" in made) throw new Error(made.message)
  return made
}

export const fields = { title: last(), votes: counter, labels: set(), best: max }

export const definition = definitionOf(fields)
export const otherDefinition = definitionOf({ ...fields, best: last() })

/** The time of everything in these tests, in milliseconds. */
export const start = 1_700_000_000_000

export const makeWorld = (options: {
  readonly clients: number
  readonly accepts?: "all" | "own"
  readonly maxDeltas?: number
  readonly epoch?: string
  readonly definitions?: ReadonlyArray<Definition>
  readonly alter?: (text: string) => string
}): World => {
  const accepts = options.accepts ?? "own"
  const lines = Array.from({ length: options.clients }, (_, n): Line => {
    const state = makeState(options.definitions?.[n] ?? definition)
    return makeLine(makeFollower(makeReplica(clientOfBits(BigInt(n + 1)), state)))
  })
  const hub = makeHub(makeState(definition), {
    epoch: options.epoch ?? "life 1",
    accepts,
    maxDeltas: options.maxDeltas ?? 1_000
  })
  const { alter } = options
  return { hub, lines, now: start, wall: start, owners: accepts, ...(alter === undefined ? {} : { alter }) }
}

/** Another life of the hub: it keeps its cells, and forgets its changes. */
export const restartedHub = ({ hashed: { state }, served }: Hub, epoch: string): Hub =>
  makeHub(state, { epoch, accepts: served.accepts, maxDeltas: 1_000 })

export const title = (key: string, value: string): Edit => ({
  _tag: "Row",
  key,
  fields: { title: { _tag: "Set", value } }
})
export const vote = (key: string, by = 1): Edit => ({
  _tag: "Row",
  key,
  fields: { votes: { _tag: "Increment", by } }
})
export const label = (key: string, member: string): Edit => ({
  _tag: "Row",
  key,
  fields: { labels: { _tag: "Add", members: [member] } }
})
export const unlabel = (key: string, member: string): Edit => ({
  _tag: "Row",
  key,
  fields: { labels: { _tag: "Remove", members: [member] } }
})
export const remove = (key: string): Edit => ({ _tag: "Remove", key })

/** A patch of titles, written by one client at one time. */
export const titles = (keys: ReadonlyArray<string>, value: string, millis = start, client = 99n): Patch => ({
  horizon: noStamp,
  rows: keys.map(
    (key, n): RowPatch => [
      key,
      noStamp,
      [["title", makeStamp(millis, n % 2 ** 24, clientOfBits(client)), value]]
    ]
  )
})

/** Keys from a number on. */
export const keysFrom = (first: number, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, n) => `row ${first + n}`)

export const textOfHub = ({ hub }: World): string => stateText(hub.hashed.state)
export const textOfLine = ({ follower }: Line): string => stateText(follower.replica.confirmed)

/** What the program of a client reads, as plain data. */
export const shownBy = ({ follower }: Line): Readonly<Record<string, Readonly<Record<string, unknown>>>> =>
  Object.fromEntries([...readAll(follower.replica)].map(([key, row]) => [key, Object.fromEntries(row)]))
