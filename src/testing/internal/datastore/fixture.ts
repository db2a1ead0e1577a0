/** The moves that the laws of backends are made of. */
import { type Duration, Effect, Scope } from "effect"
import { type ChangeLog, type LoggedRevision, type Revision, start } from "../../../ChangeLog.js"
import type {
  Backend,
  Decision,
  HeldValue,
  Loaded,
  Locked,
  OpenedStore,
  OperationId,
  Save,
  SaveOutcome,
  Stored,
  StoredChange,
  StoredValue
} from "../../../internal/catalog/backend.js"
import type { Json } from "../../../internal/columns/jsonData.js"
import { ensure, type Limited, succeeds, unless } from "../calls.js"
import { lawMaker, type Trial } from "../law.js"
import { sameData } from "../sameData.js"
import type {
  DatastoreGroup,
  DatastoreLaw,
  DatastoreNeed,
  DatastorePlace,
  DatastoreSubject,
  DatastoreSubjects
} from "./subject.js"

/** A key, and what it has to have. */
export type Expected = readonly [key: string, data: Json, seq: number]

/** A change of a key: without data it is removed. */
export type Write = readonly [
  key: string,
  data: Json | undefined,
  more?: { readonly session?: string; readonly ends?: number }
]

/** An open store whose calls have to succeed, each within the limit. */
export interface StoreFixture {
  readonly id: string
  readonly opened: OpenedStore
  readonly log: ChangeLog<StoredValue>
  readonly load: Effect.Effect<Loaded, string>
  /** Reads every revision from the first one on. */
  readonly logged: Effect.Effect<ReadonlyArray<LoggedRevision<StoredValue>>, string>
  /** Fails unless the store holds these values and no others. `when` begins the sentence of what was seen. */
  readonly holds: (when: string, expected: ReadonlyArray<Expected>) => Effect.Effect<void, string>
}

/** What a decision saw, kept after it. */
export interface Seen extends Locked {
  readonly values: ReadonlyArray<HeldValue | undefined>
}

/** An open backend whose calls have to succeed, each within the limit. */
export interface BackendFixture {
  readonly backend: Backend
  readonly open: (id: string, over?: Partial<Stored>) => Effect.Effect<StoreFixture, string, Scope.Scope>
  readonly save: (
    batch: ReadonlyArray<Save>,
    token?: string
  ) => Effect.Effect<ReadonlyArray<SaveOutcome>, string>
  /** Saves nothing, and returns what its decision saw. */
  readonly look: (
    store: string,
    asked?: { readonly keys?: ReadonlyArray<string>; readonly id?: OperationId }
  ) => Effect.Effect<Seen, string>
  readonly call: <A>(
    what: string,
    call: (backend: Backend) => Effect.Effect<A, unknown>
  ) => Effect.Effect<A, string>
}

/** A law under way, and the first backend on a place of its own. */
export interface DatastoreTrial extends Trial<DatastoreSubject>, BackendFixture {
  /** Another backend on the place, as another process has it. */
  readonly another: Effect.Effect<BackendFixture, string, Scope.Scope>
  /** Makes a save with a name of its own. */
  readonly step: (
    store: string,
    decide: Save["decide"] | Writing,
    more?: { readonly keys?: ReadonlyArray<string>; readonly id?: OperationId }
  ) => Save
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void, string>
  /** Makes the place fail. */
  readonly fail: Effect.Effect<void, string>
}

export const described = (id: string, over: Partial<Stored> = {}): Stored => ({
  id,
  part: "store",
  primary: "id",
  version: 0,
  fingerprint: "",
  owner: "",
  ...over
})

export const operation = (client: string, n: number, over: Partial<OperationId> = {}): OperationId => ({
  client,
  n,
  principal: "p",
  content: `content ${n}`,
  ...over
})

const changeOf = ([key, data, more]: Write, seq: number): StoredChange =>
  data === undefined ? { _tag: "Delete", key } : { _tag: "Put", key, value: { data, seq, ...more } }

/** Changes, a revision each time, that begin after a head. */
export const revisionsAfter = (
  head: Revision,
  ...revisions: ReadonlyArray<ReadonlyArray<Write>>
): ReadonlyArray<ReadonlyArray<StoredChange>> =>
  revisions.map((writes, n) => writes.map((write) => changeOf(write, head.seq + 1 + n)))

/** A decision on these revisions, whatever is stored, and the keys that it changes. */
export interface Writing {
  readonly keys: ReadonlyArray<string>
  readonly decide: (locked: Locked) => Decision
}

export const writes = (...revisions: ReadonlyArray<ReadonlyArray<Write>>): Writing => ({
  keys: revisions.flatMap((changes) => changes.map(([key]) => key)),
  decide: ({ head }) => ({ revisions: revisionsAfter(head, ...revisions) })
})

/** The same, with more in the decision. */
export const deciding = ({ decide, keys }: Writing, more: Omit<Decision, "revisions">): Writing => ({
  keys,
  decide: (locked) => ({ ...decide(locked), ...more })
})

/** Any data in a message. */
export const shown = (data: unknown): string => {
  const text = data === undefined ? "nothing" : JSON.stringify(data)
  return text.length > 80 ? `${text.slice(0, 80)}… (${text.length} units)` : text
}

export const sameRevision = (a: Revision | undefined, b: Revision | undefined): boolean =>
  a?.epoch === b?.epoch && a?.seq === b?.seq && a?.tag === b?.tag

const differing = (
  values: ReadonlyArray<HeldValue>,
  expected: ReadonlyArray<Expected>
): string | undefined => {
  const byKey = new Map(values.map((value) => [value.key, value]))
  for (const [key, data, seq] of expected) {
    const value = byKey.get(key)
    if (value === undefined) return `the key ${shown(key)} has nothing instead of ${shown(data)}`
    if (!sameData(value.data, data)) {
      return `the key ${shown(key)} has ${shown(value.data)} instead of ${shown(data)}`
    }
    if (value.seq !== seq) return `the value of ${shown(key)} has the seq ${value.seq} instead of ${seq}`
  }
  return values.length === expected.length
    ? undefined
    : `there are ${values.length} values instead of ${expected.length}`
}

const readAll = (
  { head, read }: ChangeLog<StoredValue>,
  after: Revision
): Effect.Effect<ReadonlyArray<LoggedRevision<StoredValue>>, unknown> =>
  Effect.gen(function* () {
    const all: Array<LoggedRevision<StoredValue>> = []
    const last = (yield* head).head.seq
    let cursor = after
    while (cursor.seq < last) {
      const page = yield* read({ after: cursor, limit: 500 })
      all.push(...page)
      const next = page.at(-1)?.revision
      if (next === undefined) return all
      cursor = next
    }
    return all
  })

const storeFixture = (limits: Limited, opened: OpenedStore): StoreFixture => {
  const { id } = opened.stored
  const load = succeeds(
    limits,
    `loading ${shown(id)}`,
    Effect.suspend(() => opened.load)
  )
  return {
    id,
    opened,
    log: opened.log,
    load,
    logged: succeeds(
      limits,
      `reading the log of ${shown(id)}`,
      Effect.flatMap(opened.log.head, ({ head }) => readAll(opened.log, start(head.epoch)))
    ),
    holds: (when, expected) =>
      Effect.flatMap(load, ({ values }) => {
        const seen = differing(values, expected)
        return unless(seen && `${when}, ${seen}`)
      })
  }
}

const openOf =
  (limits: Limited, backend: Backend): BackendFixture["open"] =>
  (id, over) =>
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.map(
        succeeds(
          limits,
          `opening ${shown(id)}`,
          Effect.suspend(() => Scope.extend(backend.open(described(id, over)), scope))
        ),
        (opened) => storeFixture(limits, opened)
      )
    )

type Steps = DatastoreTrial["step"]

const backendFixture = (limits: Limited, backend: Backend, step: Steps): BackendFixture => {
  const call: BackendFixture["call"] = (what, call) =>
    succeeds(
      limits,
      what,
      Effect.suspend(() => call(backend))
    )
  const save: BackendFixture["save"] = (batch, token) =>
    Effect.tap(
      call(`saving ${batch.length} operations`, ({ save }) => save(batch, token)),
      (outcomes) =>
        ensure(outcomes.length === batch.length, `${batch.length} saves have ${outcomes.length} outcomes`)
    )
  return {
    backend,
    call,
    save,
    open: openOf(limits, backend),
    look: (store, { id, keys = [] } = {}) =>
      Effect.suspend(() => {
        let seen: Seen | undefined
        const looking = step(
          store,
          (locked) => {
            seen = { ...locked, values: keys.map(locked.get) }
            return { revisions: [] }
          },
          { keys, ...(id && { id }) }
        )
        return Effect.andThen(
          save([looking]),
          Effect.suspend(() =>
            seen === undefined ? Effect.fail("a save ended, and nothing was decided") : Effect.succeed(seen)
          )
        )
      })
  }
}

const passing = (limits: Limited, { pass }: DatastorePlace): DatastoreTrial["pass"] =>
  pass === undefined
    ? (duration) => Effect.sleep(duration)
    : (duration) => succeeds(limits, "letting time pass", Effect.asVoid(pass(duration)))

const startTrial = (trial: Trial<DatastoreSubject>): Effect.Effect<DatastoreTrial, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.gen(function* () {
      const place = yield* succeeds(trial, "making a place", Scope.extend(trial.subject.place, scope))
      let saves = 0
      const step: Steps = (store, given, { id, keys = [] } = {}) => {
        const writing = typeof given === "function" ? { keys: [], decide: given } : given
        return {
          store,
          name: `save ${++saves}`,
          keys: [...writing.keys, ...keys],
          id,
          decide: writing.decide
        }
      }
      const another = Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(succeeds(trial, "opening the backend", Scope.extend(place.open, scope)), (backend) =>
          backendFixture(trial, backend, step)
        )
      )
      const fail = place.fail ?? Effect.fail("the place has no `fail`")
      return {
        ...trial,
        ...(yield* another),
        another,
        step,
        pass: passing(trial, place),
        fail: succeeds(trial, "making the place fail", Effect.asVoid(fail))
      }
    })
  )

const law = lawMaker<DatastoreSubjects, DatastoreNeed, DatastoreGroup>()

/** Makes a law of its data and its body, which begins with a backend on a place of its own. */
export const datastoreLaw = (
  data: Parameters<typeof law>[0],
  body: (trial: DatastoreTrial) => Effect.Effect<void, string, Scope.Scope>
): DatastoreLaw => law(data, (trial) => Effect.flatMap(startTrial(trial), body))
