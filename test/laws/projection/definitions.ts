/** The projections that the laws are held on, and what each of them must give for the events of a key. */
import { type Option, Schema } from "effect"
import { type Change, forgotten, put, remove } from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"

export type Value = Projection.EventValue

export const keys = ["a", "b", "c"] as const
export type Key = (typeof keys)[number]

const events = Projection.events(
  {
    Added: Schema.Struct({ n: Schema.Int }),
    Moved: Schema.Struct({ n: Schema.Int }),
    Noted: Schema.Struct({ n: Schema.Int }),
    Closed: Schema.Null
  },
  { renamed: { Shifted: "Moved" } }
)

export type Kind =
  | "Added"
  | "Moved"
  | "Shifted"
  | "Noted"
  | "Closed"
  | "erased"
  | "forgotten"
  | "malformed"
  | "unknown"
  | "removed"

/** The change that appends an event: `n` is another one for each. */
export const changeOf = (key: string, kind: Kind, n: number): Change<Value> => {
  switch (kind) {
    case "Closed":
      return put(key, { kind, data: null })
    case "erased":
      return put(key, { kind: "Added", data: "gone", erased: true })
    case "forgotten":
      return forgotten(key)
    case "malformed":
      return put(key, { kind: "Added", data: { n: "no number" } })
    case "unknown":
      return put(key, { kind: "Unknown", data: { n } })
    case "removed":
      return remove(key)
    default:
      return put(key, { kind, data: { n } })
  }
}

const Trail = Schema.Struct({ sum: Schema.Number, trail: Schema.Array(Schema.Number) })

const trails = (kinds: ReadonlyArray<"Added" | "Moved" | "Closed">, incremental: "on" | "off") =>
  Projection.define({
    name: "trails",
    events,
    kinds,
    state: Trail,
    initial: { sum: 0, trail: [] },
    incremental,
    apply: (state, event) =>
      event.kind === "Closed"
        ? undefined
        : { sum: state.sum + event.data.n, trail: [...state.trail, event.data.n] }
  })

const Marks = Schema.Struct({ marks: Schema.Map({ key: Schema.Number, value: Schema.String }) })

/** Its states cannot be frozen, and its fold changes them in place. */
const marks = (incremental: "on" | "off") =>
  Projection.define({
    name: "trails",
    version: 1,
    events,
    state: Marks,
    initial: { marks: new Map<number, string>() },
    incremental,
    apply: (state, event) => {
      if (event.kind === "Closed") return undefined
      state.marks.set(event.data.n, event.kind)
      return state
    }
  })

/** Two that are one in two processes, and another version of it that reads every kind. */
const definitionsOf = (incremental: "on" | "off") =>
  [
    trails(["Added", "Moved", "Closed"], incremental),
    trails(["Closed", "Moved", "Added"], incremental),
    marks(incremental)
  ] as const

export const definitions = { on: definitionsOf("on"), off: definitionsOf("off") }

/** Which projection of the three. */
export type By = 0 | 1 | 2

/** An event of a key, as it was appended. */
export interface Appended {
  readonly kind: Kind
  readonly n: number
  readonly seq: number
  readonly tag: number
}

const trailKinds: ReadonlyArray<Kind> = [
  "Added",
  "Moved",
  "Shifted",
  "Closed",
  "erased",
  "forgotten",
  "malformed"
]

export const isRelevant = (by: By, { kind }: Appended): boolean => by === 2 || trailKinds.includes(kind)

const isReadable = ({ kind }: Appended): boolean =>
  kind !== "malformed" && kind !== "unknown" && kind !== "removed"

/** The position of the last event of a kind; -1 if there is none. */
export const lastOf = (events: ReadonlyArray<Appended>, kind: Kind): number =>
  events.map((event) => event.kind).lastIndexOf(kind)

/** What must be given: a state in words, none, or that an event cannot be read. */
export type Expected = string | "none" | "malformed"

/** Folds the events of a key in the plainest way. */
export const expected = (by: By, all: ReadonlyArray<Appended>): Expected => {
  const relevant = all.filter((event) => isRelevant(by, event))
  const since = relevant.slice(lastOf(relevant, "forgotten") + 1)
  if (!since.every(isReadable)) return "malformed"
  const open = since.filter(({ kind }) => kind !== "erased")
  const state = open.slice(lastOf(open, "Closed") + 1)
  if (state.length === 0) return "none"
  const words = state.map(({ kind, n }) =>
    by === 2 ? `${kind === "Shifted" ? "Moved" : kind} ${n}` : `${n}`
  )
  return by === 2 ? words.join() : `${state.reduce((sum, { n }) => sum + n, 0)}: ${words.join()}`
}

/** A state of any of the projections. */
export type State =
  | { readonly sum: number; readonly trail: ReadonlyArray<number> }
  | { readonly marks: ReadonlyMap<number, string> }

/** A state in words. */
export const inWords = (state: Option.Option<State>): string => {
  if (state._tag === "None") return "none"
  if ("marks" in state.value) return [...state.value.marks].map(([n, kind]) => `${kind} ${n}`).join()
  return `${state.value.sum}: ${state.value.trail.join()}`
}

/** A number that no event has: where it shows, a state of someone else's shows. */
export const planted = 999_999

const attempt = (change: () => unknown): void => {
  try {
    change()
  } catch {
    // It is frozen.
  }
}

/** Does to a state what a caller may do to what it got. */
export const spoil = (state: Option.Option<State>): void => {
  if (state._tag === "None") return
  const { value } = state
  if ("marks" in value) {
    const marks = value.marks as Map<number, string>
    marks.clear()
    marks.set(planted, "Added")
  } else {
    attempt(() => (value.trail as Array<number>).push(planted))
    attempt(() => Object.assign(value, { sum: planted }))
  }
}
