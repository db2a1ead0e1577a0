/**
 * Saves in the order of each store, whatever fails. A save that cannot be stored is found here, and not by a recorder,
 * which may store later records first to judge the earlier ones.
 *
 * Invariant: what has no outcome is in `Waiting`, by store, in the order in which it was accepted. A save is tried only
 * with all that waits before it in its store.
 */
import { Cause, Effect, Exit } from "effect"
import { StorageError } from "../../Storage.js"
import type { Backend, Broken, Save, SaveOutcome } from "./backend.js"

/** What a save came to; an error: it is not stored, or that is unknown. */
export type Outcome = SaveOutcome | StorageError

/** A save that was accepted. Only the functions of this file write it. */
export interface Item {
  save: Save
  onSettled: (outcome: Outcome) => void
  isSettled: boolean
  /** An attempt that held it had an unknown outcome. */
  mayBeStored: boolean
}

/** The saves that have no outcome yet. */
export interface Waiting {
  readonly byStore: Map<string, Set<Item>>
  size: number
}

export const makeWaiting = (): Waiting => ({ byStore: new Map(), size: 0 })

/** A decision that throws ends its own store, and holds up no other one. */
const decideSafely =
  ({ decide }: Save): Save["decide"] =>
  (locked) => {
    try {
      return decide(locked)
    } catch (cause) {
      return { _tag: "Broken", message: `the decision of a save has thrown: ${String(cause)}` }
    }
  }

export const add = (waiting: Waiting, save: Save, onSettled: (outcome: Outcome) => void): Item => {
  const item: Item = {
    save: { ...save, decide: decideSafely(save) },
    onSettled,
    isSettled: false,
    mayBeStored: false
  }
  const items = waiting.byStore.get(save.store)
  if (items === undefined) waiting.byStore.set(save.store, new Set([item]))
  else items.add(item)
  waiting.size++
  return item
}

const nothing = (): void => {}

const undecided: Save["decide"] = () => ({ revisions: [] })

/** Takes a save away without an outcome; `false`: it has one. What holds the item still, does not hold its store. */
export const drop = (waiting: Waiting, item: Item): boolean => {
  if (item.isSettled) return false
  item.isSettled = true
  item.onSettled = nothing
  item.save = { ...item.save, decide: undecided }
  waiting.size--
  const items = waiting.byStore.get(item.save.store)
  if (items?.delete(item) === true && items.size === 0) waiting.byStore.delete(item.save.store)
  return true
}

const withOutcome = (error: StorageError, mayBeStored: boolean): StorageError => {
  if (!mayBeStored || error.outcome === "Unknown") return error
  const { kind, message } = error
  return new StorageError({ kind, outcome: "Unknown", message, cause: error })
}

/** Gives a save its outcome, once. */
export const settle = (waiting: Waiting, item: Item, outcome: Outcome): void => {
  const { onSettled } = item
  // A second outcome reaches nothing.
  drop(waiting, item)
  onSettled(outcome._tag === "StorageError" ? withOutcome(outcome, item.mayBeStored) : outcome)
}

const behind = (cause: Broken | StorageError): Broken | StorageError =>
  cause._tag === "Broken"
    ? cause
    : new StorageError({
        kind: cause.kind,
        outcome: "NotStored",
        message: "a save before it could not be stored: nothing later of the store is saved",
        cause
      })

/** Settles a save that cannot be stored, and all that waits behind it in its store, also what no batch has taken yet. */
export const fail = (waiting: Waiting, item: Item, outcome: Broken | StorageError): void => {
  if (item.isSettled) return
  const items = Array.from(waiting.byStore.get(item.save.store) ?? [])
  const later = items.slice(items.indexOf(item) + 1)
  settle(waiting, item, outcome)
  const error = behind(outcome)
  for (const one of later) settle(waiting, one, error)
}

/** What saves. */
export interface Saver {
  readonly backend: Backend
  readonly token: string | undefined
  readonly waiting: Waiting
}

const unknown = (message: string, cause?: unknown): StorageError =>
  new StorageError({ kind: "Unknown", outcome: "Unknown", message, cause })

const errorOf = (cause: Cause.Cause<unknown>): StorageError => {
  const error = Cause.squash(cause)
  return error instanceof StorageError ? error : unknown("the backend has failed with no StorageError", error)
}

const settleAll = (
  { waiting }: Saver,
  items: ReadonlyArray<Item>,
  outcomes: ReadonlyArray<SaveOutcome>
): void => {
  for (const [index, item] of items.entries()) {
    const outcome = outcomes[index] ?? unknown("the backend has returned no outcome of the save")
    if (outcome._tag === "Saved") settle(waiting, item, outcome)
    else fail(waiting, item, outcome)
  }
}

/** Saves items in one transaction. Returns the failure; `undefined`: it is committed, and they have their outcomes. */
const attempt = (
  saver: Saver,
  items: ReadonlyArray<Item>
): Effect.Effect<StorageError | undefined, StorageError> =>
  // Between the commit and the outcomes an interruption would leave saves without one.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.exit(
        restore(
          Effect.suspend(() =>
            saver.backend.save(
              items.map(({ save }) => save),
              saver.token
            )
          )
        )
      ),
      (exit) => {
        if (Exit.isSuccess(exit)) {
          settleAll(saver, items, exit.value)
          return Effect.succeed(undefined)
        }
        const isInterrupted = Cause.isInterruptedOnly(exit.cause)
        const error = errorOf(exit.cause)
        if (isInterrupted || error.outcome === "Unknown") for (const item of items) item.mayBeStored = true
        if (isInterrupted) return Effect.failCause(exit.cause)
        return isOfSaves(error) ? Effect.succeed(error) : Effect.fail(error)
      }
    )
  )

/**
 * Whether a failure may be a matter of what was to be saved. Any other one is passed to the recorder as it is, also when it
 * is unknown whether the batch was committed: the recorder tries it again, in order, until the backend answers. A save
 * that was committed is found by its name then, and decided no second time.
 */
const isOfSaves = ({ blame, kind }: StorageError): boolean =>
  blame === undefined ? kind === "Poison" || kind === "Unknown" : blame === "record" || blame === "either"

/** Groups what is to be saved for a batch by store, with all that waits before it there. */
const dueOf = ({ byStore }: Waiting, batch: ReadonlyArray<Item>): Map<string, ReadonlyArray<Item>> => {
  const last = new Map<string, Item>()
  for (const item of batch) if (!item.isSettled) last.set(item.save.store, item)
  const due = new Map<string, ReadonlyArray<Item>>()
  for (const [store, until] of last) {
    const items: Array<Item> = []
    for (const item of byStore.get(store) ?? []) {
      items.push(item)
      if (item === until) break
    }
    due.set(store, items)
  }
  return due
}

/** A save that cannot be stored, and why. */
interface Named {
  readonly item: Item
  readonly error: StorageError
}

/** The first save of each store that the backend names as bad. */
const namedBad = (items: ReadonlyArray<Item>, error: StorageError): ReadonlyMap<string, Named> => {
  const named = new Map<string, Named>()
  if (error.kind !== "Poison" || error.bad === undefined) return named
  for (const { cause, index } of [...error.bad].sort((a, b) => a.index - b.index)) {
    const item = items[index]
    if (item === undefined || named.has(item.save.store)) continue
    const { kind, message, outcome } = error
    named.set(item.save.store, { item, error: new StorageError({ kind, outcome, message, cause }) })
  }
  return named
}

/** Saves what is before the named ones in their stores, and all of other stores; then fails those. */
const saveBeside = (
  saver: Saver,
  groups: ReadonlyMap<string, ReadonlyArray<Item>>,
  named: ReadonlyMap<string, Named>
): Effect.Effect<void, StorageError> => {
  const good = Array.from(groups, ([store, items]) => {
    const bad = named.get(store)
    return bad === undefined ? items : items.slice(0, items.indexOf(bad.item))
  })
  return Effect.map(saveItems(saver, good.flat()), () => {
    for (const { error, item } of named.values()) fail(saver.waiting, item, error)
  })
}

/** Saves items, and gives each its outcome. Fails if that is to be tried again later: then the rest has none. */
export const saveItems = (saver: Saver, batch: ReadonlyArray<Item>): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const groups = dueOf(saver.waiting, batch)
    if (groups.size === 0) return
    const items = Array.from(groups.values()).flat()
    const error = yield* attempt(saver, items)
    if (error === undefined) return
    const named = namedBad(items, error)
    yield* named.size > 0 ? saveBeside(saver, groups, named) : saveApart(saver, groups)
  })

/** The first save of a store that failed alone. */
interface Suspect extends Named {
  /** How many commits of the round were before. */
  readonly at: number
}

/** A search for saves that are at fault. */
interface Round {
  readonly saver: Saver
  /** The commits that were made. */
  commits: number
}

const attemptIn = (
  round: Round,
  items: ReadonlyArray<Item>
): Effect.Effect<StorageError | undefined, StorageError> =>
  Effect.tap(attempt(round.saver, items), (error) => {
    if (error === undefined) round.commits++
    return Effect.void
  })

const isBlamedItself = ({ blame, kind }: StorageError): boolean =>
  blame === "record" || (blame === undefined && kind === "Poison")

/** A failure of all saves, for a recorder that judges no single one by it. */
const outage = (cause: StorageError): StorageError => {
  const kind = cause.kind === "Fatal" ? "Fatal" : "Transient"
  const { message, outcome } = cause
  return new StorageError({ kind, outcome, blame: "backend", message, cause })
}

/** Saves items of one store by halves, in their order, up to the first that fails alone. */
const saveHalves = (
  round: Round,
  given: ReadonlyArray<Item>
): Effect.Effect<Suspect | undefined, StorageError> =>
  Effect.gen(function* () {
    const items = given.filter(({ isSettled }) => !isSettled)
    if (items.length === 0) return undefined
    const error = yield* attemptIn(round, items)
    if (error === undefined) return undefined
    if (items.length === 1) return { item: items[0]!, error, at: round.commits }
    const half = items.length >>> 1
    return (yield* saveHalves(round, items.slice(0, half))) ?? (yield* saveHalves(round, items.slice(half)))
  })

/** How many stores at most are asked whether anything can be stored. */
const maxCompared = 8

/** Tries the first saves of other stores, until one is stored. */
const compare = (
  round: Round,
  stores: ReadonlySet<string>
): Effect.Effect<"stored" | "failed" | "nothing", StorageError> =>
  Effect.gen(function* () {
    let tried = 0
    for (const [store, [first]] of Array.from(round.saver.waiting.byStore)) {
      if (stores.has(store) || first === undefined || first.isSettled) continue
      if ((yield* attemptIn(round, [first])) === undefined) return "stored"
      if (++tried === maxCompared) break
    }
    return tried === 0 ? "nothing" : "failed"
  })

/** Whether the backend commits a save of the store that changes nothing. */
const probe = ({ backend, token }: Saver, { save: { name, store } }: Item): Effect.Effect<boolean> => {
  const nothing: Save = {
    store,
    name: `${name}/probe`,
    keys: [],
    id: undefined,
    decide: () => ({ revisions: [] })
  }
  return Effect.map(Effect.exit(Effect.suspend(() => backend.save([nothing], token))), Exit.isSuccess)
}

/**
 * Whether what could be stored proves that suspects are at fault, and not the backend. Where only something may be at
 * fault, that must have been stored after it had failed: it is bad if it fails again then.
 */
const areProven = (
  round: Round,
  suspects: ReadonlyArray<Suspect>,
  stores: ReadonlySet<string>
): Effect.Effect<boolean, StorageError> =>
  Effect.gen(function* () {
    const isKnown = ({ at, error }: Suspect) => round.commits > (isBlamedItself(error) ? 0 : at)
    if (suspects.every(isKnown)) return true
    const compared = yield* compare(round, stores)
    if (compared !== "nothing") return compared === "stored"
    const [first, second] = suspects
    if (first === undefined) return true
    if (round.commits > 0) return yield* probe(round.saver, first.item)
    // With nothing to compare it with, the backend is believed.
    return second === undefined && isBlamedItself(first.error)
  })

/** Fails suspects; what only may be at fault: if it fails again. */
const convict = (round: Round, suspects: ReadonlyArray<Suspect>): Effect.Effect<void, StorageError> =>
  Effect.forEach(
    suspects,
    ({ error, item }) =>
      Effect.map(isBlamedItself(error) ? Effect.succeed(error) : attemptIn(round, [item]), (last) => {
        if (last !== undefined) fail(round.saver.waiting, item, last)
      }),
    { discard: true }
  )

/** Finds the stores whose saves are at fault. While nothing at all can be stored, none is: that is an outage. */
const saveApart = (
  saver: Saver,
  groups: ReadonlyMap<string, ReadonlyArray<Item>>
): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const round: Round = { saver, commits: 0 }
    const suspects: Array<Suspect> = []
    for (const [first, ...rest] of groups.values()) {
      const error = yield* attemptIn(round, [first!])
      const suspect =
        error === undefined ? yield* saveHalves(round, rest) : { item: first!, error, at: round.commits }
      if (suspect !== undefined) suspects.push(suspect)
    }
    const [suspect] = suspects
    if (suspect === undefined) return
    if (!(yield* areProven(round, suspects, new Set(groups.keys())))) return yield* outage(suspect.error)
    yield* convict(round, suspects)
    yield* saveItems(saver, Array.from(groups.values()).flat())
  })
