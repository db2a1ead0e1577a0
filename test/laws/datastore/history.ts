/** Whether one order of operations explains what their callers were answered, and keeps real time. */
import { ensure } from "../../support/laws/ensure.js"
import { act, empty, isAlike, type Reply, type State, type Steps } from "./model.js"

/** An operation, when it began and ended, and what it was answered. */
export interface Call {
  readonly steps: Steps
  readonly start: number
  readonly end: number
  readonly reply: Reply
}

const shown = ({ reply, steps }: Call): string => `${JSON.stringify(steps)} -> ${JSON.stringify(reply)}`

/** The revision that a call made, if the state before it explains that. */
const makes = (call: Call, before: State): State | undefined => {
  const { next, reply } = act(before, call.steps)
  return next !== before && isAlike(reply, call.reply) ? next : undefined
}

/** Whether a call changed nothing in a state, and was answered so. */
const changesNothing = (call: Call, state: State): boolean => {
  const { next, reply } = act(state, call.steps)
  return next === state && isAlike(reply, call.reply)
}

/** The state after each revision, and which call made it. */
interface Order {
  readonly states: ReadonlyArray<State>
  readonly makers: ReadonlyMap<Call, number>
}

const orderBySeq = (calls: ReadonlyArray<Call>, last: number): Order => {
  const states = [empty]
  const makers = new Map<Call, number>()
  const byRevision = new Map<number, Array<Call>>()
  for (const call of calls) {
    if (!call.reply.ok) continue
    const same = byRevision.get(call.reply.revision) ?? []
    same.push(call)
    byRevision.set(call.reply.revision, same)
  }
  for (let seq = 1; seq <= last; seq++) {
    const before = states[seq - 1]!
    const all = (byRevision.get(seq) ?? []).sort((a, b) => a.end - b.end)
    // A delete that found nothing any more is answered as the one that made the revision.
    const maker = all.find((call) => {
      const next = makes(call, before)
      return next !== undefined && all.every((other) => other === call || changesNothing(other, next))
    })
    ensure(
      maker !== undefined,
      `K1: revision ${seq} is explained by an operation, not by ${all.map(shown)} on ${JSON.stringify([...before.rows])}`
    )
    makers.set(maker!, seq)
    states.push(makes(maker!, before)!)
  }
  return { states, makers }
}

/** Checks that the order by seq explains every reply and keeps real time. Returns the last state. */
export const checkOrder = (calls: ReadonlyArray<Call>, last: number): State => {
  const { makers, states } = orderBySeq(calls, last)
  const ended = [...makers].map(([{ end }, seq]) => [end, seq] as const).sort(([a], [b]) => a - b)
  const begun = [...makers].map(([{ start }, seq]) => [start, seq] as const).sort(([a], [b]) => b - a)
  for (const call of calls) {
    let low = 0
    for (const [end, seq] of ended) {
      if (end >= call.start) break
      low = Math.max(low, seq)
    }
    let high = last
    for (const [start, seq] of begun) {
      if (start <= call.end) break
      high = Math.min(high, seq - 1)
    }
    const made = makers.get(call)
    if (made !== undefined) {
      ensure(low < made && made <= high, `K1: revision ${made} keeps real time: above ${low}, up to ${high}`)
      continue
    }
    let isExplained = false
    for (let seq = low; seq <= high && !isExplained; seq++) isExplained = changesNothing(call, states[seq]!)
    ensure(isExplained, `K1: a reply is explained by a state from ${low} to ${high}: ${shown(call)}`)
  }
  return states[last]!
}

/** Whether any order at all that keeps real time explains the replies; for few calls. */
export const isLinearizable = (calls: ReadonlyArray<Call>): boolean => {
  const search = (left: ReadonlyArray<Call>, state: State): boolean => {
    if (left.length === 0) return true
    const firstEnd = Math.min(...left.map(({ end }) => end))
    return left.some((call) => {
      if (call.start > firstEnd) return false
      const { next, reply } = act(state, call.steps)
      return (
        isAlike(reply, call.reply) &&
        search(
          left.filter((one) => one !== call),
          next
        )
      )
    })
  }
  return search(calls, empty)
}
