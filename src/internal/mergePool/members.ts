/**
 * The strategy `set`: members with a dot for each client that added them (Shapiro et al. 2011, OR-Set). A removal ends the
 * dots that it saw, so that an addition made meanwhile elsewhere wins. Ended dots are removals: the horizon forgets them.
 */

import { canonicalText } from "../columns/canonicalText.js"
import type { Json } from "../columns/jsonData.js"
import { note, noteEdit, type Reading, takeJson, takeStamp } from "./reading.js"
import { findRegister, isAfterLast, joinRegisters, type RegisterOrder } from "./registers.js"
import { compareClients, isOf, noStamp, type Stamp } from "./stamp.js"
import { hideState, type Pruning, type Strategy, type StrategyOf } from "./strategy.js"

/** The last addition of a member by one client. */
interface Dot {
  readonly member: Json
  /** The canonical text of the member, which is its identity. */
  readonly text: string
  /** The stamp of the addition. */
  readonly stamp: Stamp
  /** The stamp of its removal; empty if it is not removed. */
  readonly end: Stamp
}

/** In the order of their members' texts, then of their clients; one for each pair. */
type Dots = ReadonlyArray<Dot>

const order: RegisterOrder<Dot> = {
  compare: (a, b) => (a.text === b.text ? compareClients(a.stamp, b.stamp) : a.text < b.text ? -1 : 1),
  replaces: (a, b) => a.stamp > b.stamp || (a.stamp === b.stamp && a.end > b.end)
}

const malformed = "a member of a set is malformed: send cells as the replica made them"

const readDot = (reading: Reading, given: unknown): Dot => {
  if (!Array.isArray(given) || given.length < 2 || given.length > 3) {
    note(reading, "InvalidData", malformed)
    return { member: null, text: "", stamp: noStamp, end: noStamp }
  }
  const member = takeJson(reading, given[0])
  const stamp = takeStamp(reading, given[1])
  const end = given.length === 3 ? takeStamp(reading, given[2]) : noStamp
  // Who removes has seen the addition. So the horizon passes additions before their removals.
  if (end !== noStamp && end <= stamp) note(reading, "InvalidData", malformed)
  return { member, text: canonicalText(member), stamp, end }
}

const readDots = (reading: Reading, data: ReadonlyArray<unknown>, from: number): Dots => {
  const dots: Array<Dot> = []
  for (let i = from; i < data.length && reading.problem === undefined; i++) {
    const dot = readDot(reading, data[i])
    if (!isAfterLast(order, dots, dot)) {
      note(
        reading,
        "InvalidData",
        "the members of a set must be in their canonical order, one for each client"
      )
    }
    dots.push(dot)
  }
  return dots
}

// A set without members is nothing: so it reads alike before and after its removals are forgotten.
const membersOf = (dots: Dots): ReadonlyArray<Json> | undefined => {
  const members: Array<Json> = []
  let text = ""
  for (const dot of dots) {
    if (dot.end !== noStamp || dot.text === text) continue
    members.push(dot.member)
    text = dot.text
  }
  return members.length === 0 ? undefined : members
}

/** Whether a removal has nothing to act on any more. */
const isSpent = ({ horizon, held, owner }: Pruning<Dots>, dot: Dot): boolean => {
  if (dot.end === noStamp) return false
  const known = held && findRegister(order, held, dot)
  if (known !== undefined && known.stamp === dot.stamp) return known.end !== noStamp && dot.end <= horizon
  return dot.end <= horizon || (owner !== undefined && !isOf(dot.stamp, owner))
}

const prune = (dots: Dots, pruning: Pruning<Dots>): Dots | undefined => {
  const kept = dots.filter((dot) => !isSpent(pruning, dot))
  if (kept.length === dots.length) return dots
  return kept.length === 0 ? undefined : kept
}

const edited = (
  reading: Reading,
  before: Dots,
  members: ReadonlyArray<unknown>,
  dotsOf: (member: Json, text: string) => Dots
): Dots | undefined => {
  const dots = members.map((given) => {
    const member = takeJson(reading, given)
    return dotsOf(member, canonicalText(member))
  })
  // Each array is sorted, as it has one dot, or comes from the sorted one.
  const made = dots.reduce((all, each) => joinRegisters(order, all, each), [])
  return made.length === 0 || joinRegisters(order, before, made) === before ? undefined : made
}

const setStrategy: StrategyOf<ReadonlyArray<Json>, Dots> = {
  kind: "set",
  resets: false,
  fingerprint: "set",
  join: (a, b) => joinRegisters(order, a, b),
  encode: (dots) =>
    dots.map(({ end, member, stamp }) => (end === noStamp ? [member, stamp] : [member, stamp, end])),
  decode: readDots,
  read: membersOf,
  allowsNew: (held, incoming, allows) =>
    incoming.every((dot) => {
      const known = held && findRegister(order, held, dot)
      if (known !== undefined && !order.replaces(dot, known)) return true
      return allows(dot.end === noStamp ? dot.stamp : dot.end)
    }),
  edit: (reading, before = [], edit, stamp) => {
    switch (edit._tag) {
      case "Add":
        return edited(reading, before, edit.members, (member, text) => [
          { member, text, stamp, end: noStamp }
        ])
      case "Remove":
        return edited(reading, before, edit.members, (_, text) =>
          before
            .filter((dot) => dot.text === text && dot.end === noStamp)
            .map((dot) => ({ ...dot, end: stamp }))
        )
      default:
        noteEdit(reading, "set", "Add, Remove")
        return undefined
    }
  },
  removals: (dots) => dots.reduce((count, { end }) => (end === noStamp ? count : count + 1), 0),
  prune
}

/** Keeps members that are added and removed. An addition wins over a removal that was made without seeing it. */
export const set = <A = Json>(): Strategy<ReadonlyArray<A>> =>
  // The members are those that were added, as JSON has them.
  hideState(setStrategy) as Strategy<ReadonlyArray<A>>
