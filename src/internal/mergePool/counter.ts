/**
 * The strategy `counter`: the sum of one part for each client, which that client alone writes (Shapiro et al., "A comprehensive
 * study of Convergent and Commutative Replicated Data Types", 2011). A later part of a client replaces its earlier one.
 */
import { note, noteEdit, type Reading, takeInteger, takeStamp } from "./reading.js"
import { findRegister, isAfterLast, joinRegisters, type RegisterOrder } from "./registers.js"
import { compareClients, type Stamp } from "./stamp.js"
import { hideState, type Strategy, type StrategyOf } from "./strategy.js"

/** What one client has added in all. */
interface Part {
  readonly stamp: Stamp
  readonly sum: number
}

/** In the order of their clients, one each. */
type Parts = ReadonlyArray<Part>

const order: RegisterOrder<Part> = {
  compare: (a, b) => compareClients(a.stamp, b.stamp),
  replaces: (a, b) => a.stamp > b.stamp || (a.stamp === b.stamp && a.sum > b.sum)
}

const readParts = (reading: Reading, data: ReadonlyArray<unknown>, from: number): Parts => {
  const parts: Array<Part> = []
  for (let i = from; i < data.length && reading.problem === undefined; i += 2) {
    const part = { stamp: takeStamp(reading, data[i]), sum: takeInteger(reading, data[i + 1]) }
    if (!isAfterLast(order, parts, part)) {
      note(reading, "InvalidData", "the parts of a counter must be in the order of their clients, one each")
    }
    parts.push(part)
  }
  return parts
}

const counterStrategy: StrategyOf<number, Parts> = {
  kind: "counter",
  resets: false,
  fingerprint: "counter",
  join: (a, b) => joinRegisters(order, a, b),
  encode: (parts) => parts.flatMap(({ stamp, sum }) => [stamp, sum]),
  decode: readParts,
  read: (parts) => parts.reduce((total, { sum }) => total + sum, 0),
  allowsNew: (held, incoming, allows) =>
    incoming.every((part) => {
      const known = held && findRegister(order, held, part)
      return (known !== undefined && !order.replaces(part, known)) || allows(part.stamp)
    }),
  edit: (reading, before, edit, stamp) => {
    if (edit._tag !== "Increment") {
      noteEdit(reading, "counter", "Increment")
      return undefined
    }
    const by = takeInteger(reading, edit.by)
    const own = before && findRegister(order, before, { stamp, sum: 0 })
    return [{ stamp, sum: takeInteger(reading, (own?.sum ?? 0) + by) }]
  },
  removals: () => 0,
  prune: (state) => state
}

/** Adds up what all clients have added since the field was removed. Increments that were made at the same time all count. */
export const counter: Strategy<number> = hideState(counterStrategy)
