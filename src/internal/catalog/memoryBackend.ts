/**
 * The driver of permanent stores and pools in memory: what is saved lives as long as the backend. A save decides, appends
 * to the logs and changes the books in one synchronous piece, so no reader of any log sees a part of it.
 */
import { Deferred, Effect, type Scope } from "effect"
import { type ChangeLog, type Latest, make as makeLog, type Revision } from "../../ChangeLog.js"
import { StorageError } from "../../Storage.js"
import { storageError } from "../log/storageError.js"
import { makeRandom, randomName } from "../random.js"
import { steady } from "../time.js"
import type {
  Backend,
  Broken,
  Loaded,
  OpenedStore,
  Owned,
  Ownership,
  Save,
  SaveOutcome,
  SessionLeases,
  Stored,
  StoredChange,
  StoredValue
} from "./backend.js"
import {
  addRevision,
  type Book,
  commitDraft,
  type Draft,
  heldOf,
  lockedOf,
  makeBook,
  makeDraft,
  nameRevision,
  ownChange,
  remember
} from "./memoryStore.js"

interface Kept {
  stored: Stored
  readonly log: ChangeLog<StoredValue>
  readonly book: Book
}

interface Memory {
  readonly stores: Map<string, Kept>
  /** The token of each name that is owned. */
  readonly owners: Map<string, string>
  /** When the lease of each session ends. */
  readonly leases: Map<string, number>
  readonly random: Int32Array
  readonly now: () => number
}

const fatal = (message: string): StorageError =>
  new StorageError({ kind: "Fatal", outcome: "NotStored", message })

const poison = (index: number, message: string, cause: unknown = message): StorageError =>
  new StorageError({ kind: "Poison", outcome: "NotStored", message, bad: [{ index, cause }] })

const storeOf = ({ stores }: Memory, id: string): Effect.Effect<Kept, StorageError> =>
  Effect.suspend(() => {
    const kept = stores.get(id)
    return kept === undefined
      ? Effect.fail(fatal(`there is no store ${JSON.stringify(id)}: open it first`))
      : Effect.succeed(kept)
  })

/** One save of a batch, with what its store becomes. */
interface Step {
  readonly save: Save
  readonly kept: Kept
  readonly draft: Draft
  readonly floor: Revision
}

/** Adds what a save decides to its draft. Fails if a value or a revision cannot be kept. */
const applyStep = (
  { draft, kept, save }: Step,
  index: number,
  now: number
): Broken | StorageError | number => {
  const decision = save.decide(lockedOf(draft, save, now))
  if ("_tag" in decision) return decision
  for (const revision of decision.revisions) {
    const changes: Array<StoredChange> = []
    for (const change of revision) {
      const own = ownChange(change)
      if (typeof own === "string") return poison(index, own)
      changes.push(own)
    }
    const refused = kept.log.check?.({ changes })
    if (refused !== undefined) return poison(index, refused.message, refused)
    addRevision(draft, changes)
  }
  if (save.id !== undefined) remember(draft, save.id, decision, now)
  return decision.revisions.length
}

/** Which revisions of its store's draft a save has appended. */
interface Span {
  readonly from: number
  readonly to: number
}

/** What is committed of a store: its head and its floor before, and what was appended. */
interface Appended {
  readonly head: Revision
  readonly floor: Revision
  readonly revisions: ReadonlyArray<Revision>
}

/** Judges all steps, in their order. Nothing is kept yet: a step that dies or fails leaves all as it was. */
const applyAll = (steps: ReadonlyArray<Step>, now: number): ReadonlyArray<Broken | Span> | StorageError => {
  const broken = new Map<Draft, Broken>()
  const applied: Array<Broken | Span> = []
  for (const [index, step] of steps.entries()) {
    const from = step.draft.revisions.length
    const outcome = broken.get(step.draft) ?? applyStep(step, index, now)
    if (outcome instanceof StorageError) return outcome
    if (typeof outcome === "number") {
      applied.push({ from, to: from + outcome })
      continue
    }
    broken.set(step.draft, outcome)
    applied.push(outcome)
  }
  return applied
}

const saveAll = (
  memory: Memory,
  steps: ReadonlyArray<Step>
): Effect.Effect<ReadonlyArray<SaveOutcome>, StorageError> =>
  Effect.suspend(() => {
    const heads = new Map(steps.map(({ draft, floor, kept }) => [kept, { draft, head: draft.head, floor }]))
    const applied = applyAll(steps, memory.now())
    if (applied instanceof StorageError) return Effect.fail(applied)
    const appending = [...heads].map(([kept, { draft, floor, head }]) => {
      commitDraft(draft)
      // The log in memory appends during the call; every revision has been checked.
      const appended = draft.revisions.map((changes) => (kept.log.append.now ?? kept.log.append)(changes))
      return Effect.map(Effect.all(appended), (revisions) => [kept, { floor, head, revisions }] as const)
    })
    return Effect.mapBoth(Effect.all(appending), {
      onFailure: storageError,
      onSuccess: (all) => {
        const byStore = new Map<Kept, Appended>(all)
        return steps.map((step, n) => outcomeOf(step, applied[n]!, byStore.get(step.kept)!))
      }
    })
  })

const outcomeOf = (
  { kept, save }: Step,
  applied: Broken | Span,
  { floor, head, revisions }: Appended
): SaveOutcome => {
  if ("_tag" in applied) return applied
  const { from, to } = applied
  const last = to === 0 ? head : revisions[to - 1]!
  if (to > from) nameRevision(kept.book, save.name, last, floor)
  return { _tag: "Saved", revisions: revisions.slice(from, to), head: last }
}

const stepsOf = (
  memory: Memory,
  batch: ReadonlyArray<Save>
): Effect.Effect<ReadonlyArray<Step>, StorageError> =>
  Effect.gen(function* () {
    const drafts = new Map<Kept, Draft>()
    const steps: Array<Step> = []
    for (const save of batch) {
      const kept = yield* storeOf(memory, save.store)
      const { floor, head } = yield* Effect.mapError(kept.log.head, storageError)
      const draft = drafts.get(kept) ?? makeDraft(kept.book, head)
      drafts.set(kept, draft)
      steps.push({ save, kept, draft, floor })
    }
    return steps
  })

/** Whether a token is the one of what it has to own. */
const checkToken = (
  { owners }: Memory,
  token: string | undefined,
  steps: ReadonlyArray<Step>
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    const isLost = token !== undefined && ![...owners.values()].includes(token)
    if (isLost)
      return Effect.fail(fatal("the ownership was lost, so nothing is saved with it: own the name again"))
    const foreign = steps.find(
      ({ kept: { stored } }) => stored.owner !== "" && owners.get(stored.owner) !== token
    )
    if (foreign === undefined) return Effect.void
    const { id, owner } = foreign.kept.stored
    return Effect.fail(
      fatal(
        `the store ${JSON.stringify(id)} is written by the owner of ${JSON.stringify(owner)} alone: own it`
      )
    )
  })

const loaded = (memory: Memory, { book, log }: Kept): Effect.Effect<Loaded, StorageError> =>
  Effect.mapBoth(log.head, {
    onFailure: storageError,
    onSuccess: ({ head }) => ({
      revision: head,
      values: book.values.bySeq().map(heldOf),
      operations: Array.from(book.operations.values(), (known) => [...known.values()]).flat(),
      windows: new Map(book.windows),
      now: memory.now()
    })
  })

const opened = (memory: Memory, stored: Stored): Effect.Effect<Kept> =>
  Effect.gen(function* () {
    const known = memory.stores.get(stored.id)
    if (known !== undefined) return known
    // Its options are right.
    const log = yield* Effect.orDie(makeLog<StoredValue>({ state: "latest" }))
    // A log in memory with state has it.
    const book = makeBook(log.latest as Latest<StoredValue>)
    // Another opener may have been faster.
    const made = memory.stores.get(stored.id) ?? { stored: Object.freeze({ ...stored }), log, book }
    memory.stores.set(stored.id, made)
    return made
  })

const own = (memory: Memory, name: string): Effect.Effect<Ownership, Owned, Scope.Scope> =>
  Effect.gen(function* () {
    const lost = yield* Deferred.make<string>()
    const token = yield* Effect.acquireRelease(
      Effect.suspend((): Effect.Effect<string, Owned> => {
        if (memory.owners.has(name)) {
          const message = `${JSON.stringify(name)} is owned already: close its owner, or use another name`
          return Effect.fail({ _tag: "Owned", by: name, message })
        }
        const token = randomName(memory.random)
        memory.owners.set(name, token)
        return Effect.succeed(token)
      }),
      () =>
        Effect.suspend(() => {
          memory.owners.delete(name)
          return Deferred.succeed(lost, "its scope has ended")
        })
    )
    return { token, lost: Deferred.await(lost) }
  })

const leasesOf = (memory: Memory): SessionLeases => {
  const { leases, now, stores } = memory
  const holding = (session: string) =>
    [...stores].flatMap(([id, { book }]) => (book.sessions.has(session) ? [id] : []))
  return {
    extend: (sessions) =>
      Effect.sync(() => {
        for (const { id, ttl } of sessions) leases.set(id, now() + ttl)
      }),
    ended: (limit) =>
      Effect.sync(() => {
        const over = [...leases].filter(([, end]) => end < now()).sort(([, a], [, b]) => a - b)
        return over.slice(0, limit).map(([id]) => ({ id, stores: holding(id) }))
      }),
    forget: (sessions) =>
      Effect.sync(() => {
        for (const session of sessions) if (holding(session).length === 0) leases.delete(session)
      }),
    keysOf: (store, session) =>
      Effect.map(storeOf(memory, store), ({ book }) => [...(book.sessions.get(session) ?? [])])
  }
}

/** Makes a driver of permanent stores and pools in memory. What it holds lives as long as it, whatever is closed above it. */
export const memory = (): Effect.Effect<Backend> =>
  Effect.gen(function* () {
    const clock = steady(yield* Effect.clock)
    const all: Memory = {
      stores: new Map(),
      owners: new Map(),
      leases: new Map(),
      random: yield* makeRandom,
      now: () => clock.unsafeCurrentTimeMillis()
    }
    // A fiber may yield between reading a head and using it: no other save comes between.
    const alone = yield* Effect.makeSemaphore(1)
    const inTurn = <A, E>(effect: Effect.Effect<A, E>) => alone.withPermits(1)(Effect.uninterruptible(effect))
    return {
      name: "memory",
      open: (stored) =>
        Effect.map(
          opened(all, stored),
          (one): OpenedStore => ({
            stored: one.stored,
            log: one.log,
            load: inTurn(Effect.suspend(() => loaded(all, one)))
          })
        ),
      setVersion: (id, version) =>
        Effect.andThen(storeOf(all, id), (one) =>
          Effect.sync(() => {
            one.stored = Object.freeze({ ...one.stored, version })
          })
        ),
      save: (batch, token) =>
        inTurn(
          Effect.flatMap(stepsOf(all, batch), (steps) =>
            Effect.andThen(checkToken(all, token, steps), saveAll(all, steps))
          )
        ),
      own: (name) => own(all, name),
      sessions: leasesOf(all),
      now: Effect.sync(all.now)
    }
  })
