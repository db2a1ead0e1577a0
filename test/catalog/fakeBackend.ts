/** A backend that keeps the names of saves, and fails as its script and its saves have it. */
import { Effect } from "effect"
import type { Backend, Save, SaveOutcome } from "../../src/internal/catalog/backend.js"
import { type Blame, type FailureKind, StorageError } from "../../src/Storage.js"

/** What becomes of a save, whenever it is tried. */
export type Fate = "good" | "poison" | "named" | "either" | "broken" | "throws"

/** What one attempt meets, whatever it is to save. */
export type Weather = "away" | "lost" | "unknown" | "dies" | "fatal" | "hangs" | "empty"

export interface Fake {
  readonly backend: Backend
  /** The names that are stored, by store, in their order. */
  readonly stored: Map<string, Array<string>>
  /** The names of each attempt. */
  readonly attempts: Array<ReadonlyArray<string>>
}

const revision = { epoch: "e", seq: 1, tag: 1 }

export const failure = (
  kind: FailureKind,
  outcome: "NotStored" | "Unknown",
  blame?: Blame,
  bad?: StorageError["bad"]
): StorageError =>
  new StorageError({
    kind,
    outcome,
    message: `${kind} ${outcome}`,
    ...(blame && { blame }),
    ...(bad && { bad })
  })

const saved: SaveOutcome = { _tag: "Saved", revisions: [], head: revision }

/** A save is decided where its fate matters; nothing else of a `Locked` is looked at. */
export const saveOf = (store: string, name: string, fate: Fate): Save => ({
  store,
  name: `${name} ${fate}`,
  keys: [],
  id: undefined,
  decide: () => {
    if (fate === "throws") throw new Error("a rule of the program")
    return fate === "broken" ? { _tag: "Broken", message: "a hole" } : { revisions: [[]] }
  }
})

const fateOf = ({ name }: Save): Fate => name.split(" ")[1] as Fate

export const fakeBackend = (weather: Array<Weather | undefined>): Fake => {
  const stored = new Map<string, Array<string>>()
  const attempts: Array<ReadonlyArray<string>> = []
  const keep = (batch: ReadonlyArray<Save>): ReadonlyArray<SaveOutcome> => {
    const broken = new Map<string, SaveOutcome>()
    return batch.map((save) => {
      const names = stored.get(save.store) ?? []
      if (names.includes(save.name)) return saved
      const before = broken.get(save.store)
      if (before !== undefined) return before
      const decision = save.decide(undefined as never)
      if ("_tag" in decision) {
        broken.set(save.store, decision)
        return decision
      }
      if (decision.revisions.length > 0) stored.set(save.store, [...names, save.name])
      return saved
    })
  }
  const save = (batch: ReadonlyArray<Save>): Effect.Effect<ReadonlyArray<SaveOutcome>, StorageError> => {
    attempts.push(batch.map(({ name }) => name))
    const now = weather.shift()
    if (now === "away") return Effect.fail(failure("Transient", "NotStored"))
    if (now === "unknown") return Effect.fail(failure("Unknown", "Unknown"))
    if (now === "fatal") return Effect.fail(failure("Fatal", "NotStored"))
    if (now === "dies") return Effect.die(new Error("a defect of the driver"))
    if (now === "hangs") return Effect.never
    const kept = new Set(stored.get(batch[0]!.store))
    const bad = batch.flatMap((save, index) =>
      ["poison", "named", "either"].includes(fateOf(save)) && !kept.has(save.name)
        ? [{ index, cause: save.name, fate: fateOf(save) }]
        : []
    )
    if (bad.some(({ fate }) => fate === "either"))
      return Effect.fail(failure("Poison", "NotStored", "either"))
    if (bad.some(({ fate }) => fate === "poison")) return Effect.fail(failure("Poison", "NotStored"))
    if (bad.length > 0) return Effect.fail(failure("Poison", "NotStored", undefined, bad))
    const outcomes = keep(batch)
    if (now === "lost") return Effect.fail(failure("Transient", "Unknown", "size"))
    return Effect.succeed(now === "empty" ? [] : outcomes)
  }
  // What saves stores calls nothing else.
  const backend = { name: "fake", save: (batch: ReadonlyArray<Save>) => Effect.suspend(() => save(batch)) }
  return { backend: backend as unknown as Backend, stored, attempts }
}
