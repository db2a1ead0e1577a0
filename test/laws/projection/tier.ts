/** A tier that is not to be trusted: it loses rows, gives old and foreign ones, fails, hangs, and puts late. */
import { Effect, Option } from "effect"
import * as Tier from "../../../src/Tier.js"
import { planted } from "./definitions.js"
import type { Forgery } from "./schedule.js"

interface Put {
  readonly namespace: string
  readonly key: string
  readonly value: string
}

export interface WrongTier {
  readonly tier: Tier.Tier
  mode: "right" | "fails" | "hangs" | "late"
  /** How many calls have failed or hung. */
  faults: number
  /** Everything that was ever put. */
  readonly puts: Array<Put>
  readonly rows: Map<string, Tier.Entry>
  /** What was put, and is not there yet. */
  readonly late: Array<() => void>
}

const idOf = (namespace: string, key: string): string => JSON.stringify([namespace, key])

const failure = new Tier.TierError({ reason: "Unavailable", message: "the tier is down" })

export const makeTier = (isUnordered: boolean): WrongTier => {
  const call = <A>(run: () => A): Effect.Effect<A, Tier.TierError> =>
    Effect.suspend((): Effect.Effect<A, Tier.TierError> => {
      if (wrong.mode === "right" || wrong.mode === "late") return Effect.sync(run)
      wrong.faults++
      return wrong.mode === "fails" ? failure : Effect.never
    })
  const put = (namespace: string, entry: Tier.Entry): void => {
    const id = idOf(namespace, entry.key)
    if (isUnordered || Tier.replaces(wrong.rows.get(id)?.order, entry.order)) wrong.rows.set(id, entry)
  }
  const wrong: WrongTier = {
    tier: {
      open: (namespace) =>
        Effect.succeed({
          get: (keys) => call(() => keys.map((key) => wrong.rows.get(idOf(namespace, key))?.value)),
          put: (entries) =>
            call(() => {
              for (const entry of entries) {
                wrong.puts.push({ namespace, key: entry.key, value: entry.value })
                if (wrong.mode === "late") wrong.late.push(() => put(namespace, entry))
                else put(namespace, entry)
              }
            }),
          remove: (keys) =>
            call(() => {
              for (const key of keys) wrong.rows.delete(idOf(namespace, key))
            }),
          clear: call(() => {
            for (const id of wrong.rows.keys()) {
              if (JSON.parse(id)[0] === namespace) wrong.rows.delete(id)
            }
          })
        })
    },
    mode: "right",
    faults: 0,
    puts: [],
    rows: new Map(),
    late: []
  }
  return wrong
}

const pick = <A>(all: ReadonlyArray<A>, at: number): A | undefined => all[at % Math.max(1, all.length)]

/** Counted from the last one: what was put last is read next. */
const lastPut = ({ puts }: WrongTier, at: number): Put | undefined =>
  pick(puts, puts.length * 8 + puts.length - 1 - at)

const place = ({ rows }: WrongTier, { key, namespace }: Put, value: string): void => {
  rows.set(idOf(namespace, key), { key, value })
}

const garbage = (value: string): ReadonlyArray<string> => [
  "",
  "null",
  "{}",
  value.slice(0, -1),
  value.replace('"format":1', '"format":0'),
  value.replace(/"state":.*$/, '"state":"{}"}'),
  JSON.stringify(value),
  "\u0007"
]

/** Spoils what is held. */
export const spoilTier = (
  wrong: WrongTier,
  how: "lose" | "old" | "foreign" | "garbage",
  at: number,
  to: number
): void => {
  const put = lastPut(wrong, at)
  const other = lastPut(wrong, to)
  if (put === undefined || other === undefined) return
  switch (how) {
    case "lose":
      wrong.rows.delete(idOf(put.namespace, put.key))
      return
    case "old":
      place(wrong, put, put.value)
      return
    case "foreign":
      place(wrong, other, put.value)
      return
    case "garbage":
      place(wrong, put, pick(garbage(put.value), to) as string)
  }
}

interface Row {
  readonly at: {
    generation: number
    readonly revision: { epoch: string; seq: number; tag: number }
  }
  state: string
}

const parse = Option.liftThrowable((text: string) => JSON.parse(text) as Row)

/** States that no event gave. */
const plantedStates = [
  JSON.stringify({ marks: [[planted, "Added"]] }),
  JSON.stringify({ sum: planted, trail: [planted] })
] as const

/** Puts a row of a state that this log never had, at a position that it does not have either. */
export const forge = (wrong: WrongTier, how: Forgery, at: number): void => {
  const put = lastPut(wrong, at)
  const row = put === undefined ? undefined : Option.getOrUndefined(parse(put.value))
  if (put === undefined || row === undefined) return
  const { revision } = row.at
  if (how === "epoch") revision.epoch = "another epoch"
  if (how === "tag") revision.tag ^= 1
  if (how === "ahead") revision.seq += 1_000
  if (how === "generation" || how === "ahead") row.at.generation++
  row.state = plantedStates[put.value.includes("trail") ? 1 : 0]
  place(wrong, put, JSON.stringify(row))
}
