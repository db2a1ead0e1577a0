/** How many followers look at their entries in one turn, so that nothing else on the event loop waits long for them. */
import { Effect } from "effect"
import type { Turn } from "../turn.js"

/** A look judges a list by up to 1,024 changes and may load it again: that takes up to 0.3 ms. */
const looksPerTurn = 16

/** Only this file writes it. */
export interface LookGate {
  readonly turn: Turn
  /** How many may still look in this turn. */
  left: number
  /** In the order of their coming. */
  readonly waiting: Set<() => void>
}

export const make = (turn: Turn): LookGate => ({ turn, left: looksPerTurn, waiting: new Set() })

const nextTurn = (gate: LookGate): void => {
  gate.left = looksPerTurn
  for (const pass of gate.waiting) {
    if (gate.left === 0) break
    gate.waiting.delete(pass)
    enter(gate)
    pass()
  }
}

/** Notes a look. The first one of a turn sees to the next turn. */
const enter = (gate: LookGate): void => {
  if (gate.left === looksPerTurn) gate.turn.schedule(() => nextTurn(gate))
  gate.left--
}

/** Completes when the caller may look: at once while there is room in this turn. */
export const pass = (gate: LookGate): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (gate.left > 0) {
      enter(gate)
      return resume(Effect.void)
    }
    const go = () => resume(Effect.void)
    gate.waiting.add(go)
    return Effect.sync(() => {
      gate.waiting.delete(go)
    })
  })
