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
import { type After, decideSaves } from "./decideSaves.js"
import {
  type Book,
  beforeOf,
  commit,
  heldOf,
  makeBook,
  nameRevision,
  ownChange,
  sizeOfChange,
  tidy
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

const notOpened = (id: string): string => `there is no store ${JSON.stringify(id)}: open it first`

const storeOf = ({ stores }: Memory, id: string): Effect.Effect<Kept, StorageError> =>
  Effect.suspend(() => {
    const kept = stores.get(id)
    return kept === undefined ? Effect.fail(fatal(notOpened(id))) : Effect.succeed(kept)
  })

/** The saves of a batch that are of one store. */
interface Group {
  readonly kept: Kept
  readonly head: Revision
  readonly floor: Revision
  readonly saves: Array<Save>
  /** The positions of the saves in their batch. */
  readonly places: Array<number>
}

const startGroup = (kept: Kept): Effect.Effect<Group, StorageError> =>
  Effect.mapBoth(kept.log.head, {
    onFailure: storageError,
    onSuccess: ({ floor, head }) => ({ kept, head, floor, saves: [], places: [] })
  })

/** Why nothing of a store can be saved with a token, or `undefined`. */
const refusalOf = ({ owners, stores }: Memory, id: string, token: string | undefined): string | undefined => {
  const kept = stores.get(id)
  if (kept === undefined) return notOpened(id)
  const { owner } = kept.stored
  return owner === "" || (token !== undefined && owners.get(owner) === token)
    ? undefined
    : `the store ${JSON.stringify(id)} is saved by the owner of ${JSON.stringify(owner)} alone: own it`
}

/** A batch under way. */
interface Batch {
  readonly groups: ReadonlyArray<Group>
  /** In the order of the saves: first those of the stores of which nothing can be saved. */
  readonly outcomes: Array<SaveOutcome>
}

const startBatch = (
  memory: Memory,
  batch: ReadonlyArray<Save>,
  token: string | undefined
): Effect.Effect<Batch, StorageError> =>
  Effect.gen(function* () {
    const groups = new Map<string, Group>()
    const outcomes: Array<SaveOutcome> = []
    for (const [place, save] of batch.entries()) {
      const message = refusalOf(memory, save.store, token)
      if (message !== undefined) {
        outcomes[place] = { _tag: "Broken", message }
        continue
      }
      const group = groups.get(save.store) ?? (yield* startGroup(yield* storeOf(memory, save.store)))
      groups.set(save.store, group)
      group.saves.push(save)
      group.places.push(place)
    }
    return { groups: [...groups.values()], outcomes }
  })

/** What is to be committed of a store. */
interface Plan extends Group {
  readonly after: After
  readonly revisions: ReadonlyArray<ReadonlyArray<StoredChange>>
}

/** Decides the saves of a store, or returns why one of them cannot be kept. Nothing is kept yet. */
const planOf = (group: Group, now: number): Plan | StorageError => {
  const { head, kept, places, saves } = group
  // The log chooses the tags when it appends.
  const after = decideSaves(saves, beforeOf(kept.book, head, now), () => 0)
  const revisions: Array<ReadonlyArray<StoredChange>> = []
  for (const decided of after.revisions) {
    const place = places[decided.index]!
    const changes: Array<StoredChange> = []
    for (const change of decided.changes) {
      const own = ownChange(change)
      if (typeof own === "string") return poison(place, own)
      changes.push(own)
    }
    const refused = kept.log.check?.({ changes })
    if (refused !== undefined) return poison(place, refused.message, refused)
    revisions.push(changes)
  }
  return { ...group, after, revisions }
}

/** The outcomes of a store's saves, with the revisions as the log has them. */
const outcomesOf = (
  { after, floor, head, kept }: Plan,
  appended: ReadonlyArray<Revision>
): ReadonlyArray<SaveOutcome> => {
  const actual = ({ seq }: Revision) => appended[seq - head.seq - 1] ?? head
  for (const { id, revision } of after.revisions) {
    if (id !== undefined) nameRevision(kept.book, id, actual(revision), floor)
  }
  return after.outcomes.map((outcome) =>
    outcome._tag === "Broken"
      ? outcome
      : { _tag: "Saved", revisions: outcome.revisions.map(actual), head: actual(outcome.head) }
  )
}

const commitPlan = (plan: Plan): Effect.Effect<ReadonlyArray<SaveOutcome>, StorageError> => {
  const { after, kept, revisions } = plan
  commit(kept.book, after)
  // The log in memory appends during the call; every revision has been checked.
  const appending = revisions.map((changes) => (kept.log.append.now ?? kept.log.append)(changes))
  return Effect.mapBoth(Effect.all(appending), {
    onFailure: storageError,
    onSuccess: (appended) => outcomesOf(plan, appended)
  })
}

/** Decides all, then keeps all: a decision that dies, or a value that cannot be kept, leaves everything as it was. */
const saveAll = (
  { groups, outcomes }: Batch,
  now: number
): Effect.Effect<ReadonlyArray<SaveOutcome>, StorageError> =>
  Effect.suspend(() => {
    const plans: Array<Plan> = []
    for (const group of groups) {
      const plan = planOf(group, now)
      if (plan instanceof StorageError) return Effect.fail(plan)
      plans.push(plan)
    }
    // Every store is committed before the first effect runs.
    const committed = plans.map(commitPlan)
    return Effect.map(Effect.all(committed), (all) => {
      for (const [g, { places }] of plans.entries()) {
        for (const [n, place] of places.entries()) outcomes[place] = all[g]![n]!
      }
      return outcomes
    })
  })

const checkToken = ({ owners }: Memory, token: string | undefined): Effect.Effect<void, StorageError> =>
  Effect.suspend(() =>
    token === undefined || [...owners.values()].includes(token)
      ? Effect.void
      : Effect.fail(fatal("the ownership was lost, so nothing is saved with it: own the name again"))
  )

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
    const log = yield* Effect.orDie(makeLog<StoredValue>({ state: "latest", sizeOf: sizeOfChange }))
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
            load: inTurn(Effect.suspend(() => loaded(all, one))),
            tidy: inTurn(Effect.sync(() => tidy(one.book, all.now())))
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
          Effect.andThen(
            checkToken(all, token),
            Effect.flatMap(startBatch(all, batch, token), (started) => saveAll(started, all.now()))
          )
        ),
      own: (name) => own(all, name),
      sessions: leasesOf(all),
      now: Effect.sync(all.now)
    }
  })
